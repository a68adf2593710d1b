import CAllocationCounter
import TestSupport
import Testing

@testable import Twill

@Suite(.nothingLivesOn, .enabled(if: twill_allocation_count() >= 0, "allocations are counted on glibc only, and not under a sanitizer"))
struct AllocationTests {
    private static let warmUps = 200
    private static let rounds = 1_000

    private final class Echo: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    private final class LineEcho: LineReceiver {
        override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
    }

    private final class NetstringEcho: NetstringReceiver {
        override func stringReceived(_ string: Span<UInt8>) { sendString(string) }
    }

    /// Sends one message after another, and counts what the reactor's thread allocates from the last warm-up to the last answer.
    private final class Pinger: Twill::Protocol {
        private(set) var allocations = -1
        private(set) var answers = 0
        private let message: [UInt8]
        private var start = 0

        init(_ message: String) {
            self.message = Array(message.utf8)
        }

        override func connectionMade() { transport.write(message) }

        override func dataReceived(_ data: Span<UInt8>) {
            answers += 1
            if answers == AllocationTests.warmUps { start = twill_allocation_count() }
            if answers == AllocationTests.warmUps + AllocationTests.rounds {
                allocations = twill_allocation_count() - start
                transport.reactor.stop()
            } else {
                transport.write(message)
            }
        }
    }

    private func run(_ message: String, _ server: @escaping () -> Twill::Protocol) throws -> Pinger {
        let pinger = Pinger(message)
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { server() }, interface: "127.0.0.1")
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { [weak pinger] _ in pinger })
        }
        return pinger
    }

    @Test func anArrayIsCounted() {
        // Otherwise a count of none would say nothing.
        let start = twill_allocation_count()
        let bytes = [UInt8](repeating: 1, count: 10_000 + start % 2)
        #expect(twill_allocation_count() - start == 1)
        #expect(bytes.count >= 10_000)
    }

    @Test func anEchoedMessageAllocatesNothing() throws {
        let pinger = try run(String(repeating: ".", count: 64)) { Echo() }
        #expect(pinger.allocations == 0)
        #expect(pinger.answers == Self.warmUps + Self.rounds)
    }

    @Test func anEchoedLineAllocatesNothing() throws {
        let pinger = try run(String(repeating: ".", count: 62) + "\r\n") { LineEcho() }
        #expect(pinger.allocations == 0)
        #expect(pinger.answers == Self.warmUps + Self.rounds)
    }

    @Test func anEchoedNetstringAllocatesNothing() throws {
        let pinger = try run("64:" + String(repeating: ".", count: 64) + ",") { NetstringEcho() }
        #expect(pinger.allocations == 0)
        #expect(pinger.answers == Self.warmUps + Self.rounds)
    }

    /// Sends one datagram after another, as ``Pinger`` sends messages; every fourth time a burst, which is taken as one batch.
    private final class DatagramPinger: DatagramProtocol {
        private(set) var allocations = -1
        private var answers = 0
        private var awaited = 1
        private var start = 0

        override func startProtocol() { reactor.callLater(.zero) { [unowned self] in try send() } }

        private var reactor: any Reactor { transport.reactor }

        private func send() throws {
            awaited = answers % 4 == 0 ? 40 : 1
            for _ in 0..<awaited { try transport.write(message) }
        }

        private let message = [UInt8](repeating: 0x2E, count: 64)

        override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
            awaited -= 1
            guard awaited == 0 else { return }
            answers += 1
            if answers == AllocationTests.warmUps { start = twill_allocation_count() }
            if answers == AllocationTests.warmUps + AllocationTests.rounds {
                allocations = twill_allocation_count() - start
                reactor.stop()
            } else {
                try send()
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "::1", ""])
    func anEchoedDatagramAllocatesNothing(interface: String) throws {
        let pinger = DatagramPinger()
        try withReactor { reactor in
            let server = try reactor.listenUDP(port: 0, protocol: DatagramEcho(), interface: interface).host
            let port = try reactor.listenUDP(port: 0, protocol: pinger, interface: interface)
            let host = interface.isEmpty ? "127.0.0.1" : interface
            try port.connect(to: try #require(Address(host: host, port: server.port ?? 0)))
        }
        #expect(pinger.allocations == 0)
    }
}
