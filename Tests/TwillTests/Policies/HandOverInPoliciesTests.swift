import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Handing over inside of policies, over a real connection", .nothingLivesOn)
struct HandOverInPoliciesTests {
    /// Answers lines, until one says that strings follow.
    private final class Lines: LineReceiver {
        private let strings: Strings
        private(set) var reason: ConnectionLost?

        init(then strings: Strings) {
            self.strings = strings
            super.init()
        }

        override func connectionMade() { setTimeout(.seconds(30)) }

        override func lineReceived(_ line: Span<UInt8>) throws {
            sendLine(line)
            if line.count == 6 { try handOver(to: strings) }
        }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    /// Answers strings, and counts them.
    private final class Strings: Int32StringReceiver {
        private(set) var count = 0
        private(set) var made = 0
        private(set) var reason: ConnectionLost?

        override func connectionMade() { made += 1 }

        override func stringReceived(_ string: Span<UInt8>) throws {
            count += 1
            try sendString(string)
        }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    private func stack(around factory: Factory, sink: @escaping (String) -> Void = { _ in }) -> WrappingFactory {
        let logged = TrafficLoggingFactory(wrapping: factory, sink: sink)
        let throttled = ThrottlingFactory(wrapping: logged, bytesInPerSecond: 1 << 30, bytesOutPerSecond: 1 << 30, connectionsMax: 10)
        let drained = DrainRateFactory(wrapping: throttled, bytesPerSecondMin: 1)
        let deadlined = DeadlineFactory(wrapping: drained, firstByte: .seconds(60), message: .seconds(60))
        return LimitTotalConnectionsFactory(wrapping: TimeoutFactory(wrapping: deadlined, timeout: .seconds(60)), connectionsMax: 10)
    }

    /// Runs a client against the two in turn, inside of all policies.
    private func run(
        _ strings: Strings, log: RecordedLog = RecordedLog(), sink: @escaping (String) -> Void = { _ in },
        _ talk: @escaping @Sendable (RawSocket) throws -> Void
    ) throws {
        try withReactor(log: log) { reactor in
            let factory = stack(around: OneConnectionFactory(Lines(then: strings)), sink: sink)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                try talk(RawSocket(connectedTo: port))
            } then: {
                reactor.when {
                    strings.reason != nil
                } then: {
                    reactor.stop()
                }
            }
        }
    }

    private static func wire(_ strings: [String]) -> [UInt8] {
        var wire: [UInt8] = []
        for string in strings { LengthPrefixFramer(.uint32).encode(bytes(string), into: &wire) }
        return wire
    }

    @Test("lines and strings in one read", arguments: [1, 3, 1000])
    func pipelined(pieceSize: Int) throws {
        let (strings, log) = (Strings(), RecordedLog())
        let tail = Self.wire(["", "abc", String(repeating: "x", count: 5000)])
        let sent = bytes("hello\r\nBINARY\r\n") + tail
        try run(strings, log: log) { client in
            for start in stride(from: 0, to: sent.count, by: pieceSize) {
                try client.send(Array(sent[start..<min(start + pieceSize, sent.count)]))
            }
            let received = try client.receive(exactly: sent.count)
            try #require(received == sent)
            client.shutdownWriting()
            try client.expectEnd()
        }
        #expect(strings.made == 1)
        #expect(strings.count == 3)
        #expect(strings.reason == .done)
        #expect(log.entries == [])
    }

    @Test("the log of the traffic has every byte once")
    func trafficLog() throws {
        let (strings, lines) = (Strings(), Shared<[String]>([]))
        try run(strings, sink: { line in lines.change { $0.append(line) } }) { client in
            try client.send(bytes("BINARY\r\n") + Self.wire(["ab"]))
            _ = try client.receive(exactly: 14)
            try client.send(Self.wire(["c"]))
            _ = try client.receive(exactly: 5)
            client.shutdownWriting()
            try client.expectEnd()
        }
        #expect(lines.value.count == 5, "\(lines.value)")
        #expect(lines.value.filter { $0.hasPrefix("C 1:") }.count == 2)
    }

    @Test("megabytes behind the change arrive unchanged")
    func megabytes() throws {
        let strings = Strings()
        let sent = Self.wire((0..<40).map { String(repeating: "\($0 % 10)", count: 90_000) })
        try run(strings) { client in
            try client.send("BINARY\r\n")
            try client.expect("BINARY\r\n")
            let size = 1 << 17
            for start in stride(from: 0, to: sent.count, by: size) {
                try client.send(Array(sent[start..<min(start + size, sent.count)]))
                let received = try client.receive(exactly: min(size, sent.count - start) / 90_004 * 90_004)
                try #require(received.count % 90_004 == 0)
            }
            client.shutdownWriting()
            _ = try client.receiveToEnd()
        }
        #expect(strings.count == 40)
    }

    @Test("what the next one rejects is the reason, and is not logged")
    func rejection() throws {
        let (strings, log) = (Strings(), RecordedLog())
        try run(strings, log: log) { client in
            try client.send(bytes("BINARY\r\n") + [0xFF, 0xFF, 0xFF, 0xFF])
            try client.expect("BINARY\r\n")
            try client.expectEnd()
        }
        #expect(strings.reason == .badInput)
        #expect(strings.reason?.underlying as? Rejection == Rejection(.stringTooLong(lengthMax: 99_999), offset: 0))
        #expect(log.entries == [])
    }
}
