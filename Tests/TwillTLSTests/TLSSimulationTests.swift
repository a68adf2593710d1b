import TestCertificates
import TestSupport
import Testing
import TwillTesting

@testable import Twill
@testable import TwillTLS

/// TLS over a network that splits, delays, cuts and resets, in virtual time: whatever happens, what arrives is what was sent, from its beginning on,
/// each protocol has a whole life, and an end that was not said is no clean one.
@Suite(.nothingLivesOn) struct TLSSimulationTests {
    /// Keys of RSA, whose signatures are all of one length: so the same seed sends the same number of bytes.
    private static let identity = Result {
        try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.rsaBits = 2048 }.identity()
    }

    /// Sends numbered lines to an echo, and checks what comes back.
    private final class Talker: Twill::Protocol {
        private(set) var received: [UInt8] = []
        private(set) var reason: ConnectionLost?
        private(set) var wasMade = false
        private let message: [UInt8]

        init(_ message: [UInt8]) {
            self.message = message
            super.init()
        }

        override func connectionMade() {
            wasMade = true
            // In writes of several sizes.
            var rest = message[...]
            var size = 1
            while !rest.isEmpty {
                transport.write(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
                size = size * 3 % 40_000 + 1
            }
        }

        override func dataReceived(_ data: Span<UInt8>) {
            received.append(copying: data)
            if received.count == message.count { transport.loseConnection() }
        }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    private func scene(_ network: SimulatedNetwork, faults: FaultPlan, clientCount: Int = 6, timeout: Duration = .seconds(600)) throws {
        network.faults = faults
        let serverContext = try TLSServerContext.test(Self.identity.get()) { $0.handshakeTimeout = .seconds(60) }
        let clientContext = try TLSClientContext.test { $0.handshakeTimeout = .seconds(60) }
        let factory = TLSServerFactory(
            wrapping: TimeoutFactory(wrapping: Factory { Answering() }, timeout: .seconds(120)), context: serverContext)
        try network.host("server").listenTCP(port: 443, factory: factory)
        var clients: [(Talker, [UInt8])] = []
        for number in 0..<clientCount {
            let message = (0..<number * number * 3000 + 10).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
            let talker = Talker(message)
            clients.append((talker, message))
            let wrapped = TimeoutFactory(wrapping: OneProtocol(talker), timeout: .seconds(120))
            try network.host("client").connectTCP(
                host: "server", port: 443, factory: TLSClientFactory(wrapping: wrapped, context: clientContext, serverName: "localhost"))
        }
        try network.run(for: timeout)
        network.heal()
        try network.run(for: .seconds(1800))
        for (talker, message) in clients {
            try network.expect(message.starts(with: talker.received), "what came back is not what was sent")
            try network.expect(talker.wasMade == (talker.reason != nil), "a protocol that was connected was not told of its end")
            if talker.reason?.isClean == true, talker.received.count != message.count {
                throw CutShort(received: talker.received.count, sent: message.count)
            }
        }
        if faults == .none || faults == .mild {
            for (talker, message) in clients { try network.expect(talker.received == message, "a quiet network lost something") }
        }
    }

    private struct CutShort: Error {
        let received: Int
        let sent: Int
    }

    @Test func aGoodNetworkBringsEverything() throws {
        try Simulation.check(seeds: 3) { try scene($0, faults: .none) }
    }

    @Test func aMildNetworkBringsEverything() throws {
        try Simulation.check(seeds: 10) { try scene($0, faults: .mild) }
    }

    @Test func aWildNetworkBringsNothingFalse() throws {
        try Simulation.check(seeds: 40) { try scene($0, faults: .swarm(seed: $0.seed)) }
    }

    @Test("a connection that is cut anywhere ends as one that was cut", arguments: [0, 3, 100, 700, 1500, 2500])
    func cutsAreNoCleanEnds(_ offset: Int) throws {
        for ending in [FaultPlan.Ending.end, .reset] {
            try Simulation.check(seeds: 2) { network in
                var plan = FaultPlan.none
                plan.cut = FaultPlan.Cut(at: offset, by: ending)
                try scene(network, faults: plan, clientCount: 3)
            }
        }
    }
}
