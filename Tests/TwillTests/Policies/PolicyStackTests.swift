import CAllocationCounter
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Policies around policies", .nothingLivesOn)
final class PolicyStackTests {
    /// Echoes lines, and is counted while it lives.
    private final class Lines: LineReceiver {
        private let alive: Counter
        private(set) var reason: ConnectionLost?

        init(alive: Counter = Counter()) {
            self.alive = alive
            super.init()
            alive.add()
        }

        deinit { alive.add(-1) }

        override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    private let reactor = VirtualReactor()
    private let log = RecordedLog()

    deinit { reactor.end() }

    /// All of them, in this order from the outside to the inside.
    private func stack(
        around factory: Factory, timeout: Duration = .seconds(60), message: Duration = .seconds(60),
        bytesInPerSecond: Int = 1 << 30, connectionsMax: Int = 100, sink: @escaping (String) -> Void = { _ in }
    ) -> WrappingFactory {
        let logged = TrafficLoggingFactory(wrapping: factory, sink: sink)
        let throttled = ThrottlingFactory(
            wrapping: logged, bytesInPerSecond: bytesInPerSecond, bytesOutPerSecond: 1 << 30, connectionsMax: connectionsMax)
        let drained = DrainRateFactory(wrapping: throttled, bytesPerSecondMin: 1000)
        let deadlined = DeadlineFactory(wrapping: drained, firstByte: .seconds(60), message: message)
        let limited = LimitConnectionsByPeer(wrapping: TimeoutFactory(wrapping: deadlined, timeout: timeout), connectionsMax: 10)
        return LimitTotalConnectionsFactory(wrapping: limited, connectionsMax: 10)
    }

    @Test func aConversationGoesThroughAllOfThem() throws {
        let alive = Counter()
        let lines = Shared<[String]>([])
        weak var gone: WrappingFactory?
        try withReactor(log: log) { reactor in
            let factory = stack(around: Factory { Lines(alive: alive) }) { line in lines.change { $0.append(line) } }
            gone = factory
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send("hello\r\nwor")
                try client.expect("hello\r\n")
                try client.send("ld\r\n")
                try client.expect("world\r\n")
                client.shutdownWriting()
                try client.expectEnd()
            } then: {
                reactor.afterTurns(3) {
                    #expect(alive.value == 0)
                    reactor.stop()
                }
            }
        }
        #expect(lines.value == [#"C 1: "hello\r\nwor""#, #"S 1: "hello\r\n""#, #"C 1: "ld\r\n""#, #"S 1: "world\r\n""#])
        #expect(gone == nil)
        #expect(log.entries.isEmpty)
    }

    @Test func manyMegabytesGoThroughAllOfThemUnchanged() throws {
        let count = 4 << 20
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let recorder = Recorder()
            recorder.whenData = {
                $0.transport.write(Array($0.received.suffix($0.pieces.last ?? 0)))
                // A slow reader of its own answers stops it from reading on.
                if $0.transport.bufferedByteCount > 1 << 20 { $0.transport.pauseProducing() }
                Self.goOn($0.transport)
            }
            let factory = stack(around: OneConnectionFactory(recorder), bytesInPerSecond: 3 << 20)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                for number in 0..<count >> 18 {
                    let sent = [UInt8](repeating: UInt8(number), count: 1 << 18)
                    try client.send(sent)
                    let received = try client.receive(exactly: sent.count)
                    try #require(received == sent)
                }
            }
        }
        #expect(log.entries.isEmpty)
    }

    private static func goOn(_ transport: Transport) {
        guard transport.bufferedByteCount > 0 else { return transport.resumeProducing() }
        transport.callLater(.milliseconds(1)) { goOn(transport) }
    }

    @Test func eachStillDoesItsWorkInsideTheOthers() throws {
        let handlers = Shared(0)
        func connection(_ factory: WrappingFactory) throws -> VirtualTransport { try reactor.connection(to: factory) }
        let inside = Factory {
            handlers.change { $0 += 1 }
            return Lines()
        }

        let idle = try connection(stack(around: inside, timeout: .seconds(5)))
        try reactor.advance(by: .seconds(5))
        #expect(idle.reason?.deadline == .idle(.seconds(5)))

        let slow = try connection(stack(around: inside, message: .seconds(5)))
        for _ in 0..<5 {
            slow.say(".")
            try reactor.advance(by: .seconds(1))
        }
        #expect(slow.reason?.deadline == .message(.seconds(5)))

        let thirsty = try connection(stack(around: inside))
        thirsty.room = 0
        thirsty.say("hello\r\n")
        try reactor.advance(by: .seconds(20))
        #expect(thirsty.wasAborted)
        #expect(thirsty.reason?.deadline == .drainRate(bytesPerSecondMin: 1000, window: .seconds(10)))

        let loud = try connection(stack(around: inside, bytesInPerSecond: 10))
        loud.say("0123456789012345678\n")
        #expect(loud.isPaused)
        try reactor.advance(by: .seconds(1))
        #expect(!loud.isPaused)

        let few = stack(around: inside, connectionsMax: 1)
        let only = try connection(few)
        #expect(try VirtualTransport(reactor, to: few) == nil)
        only.lose()
        #expect(try VirtualTransport(reactor, to: few) != nil)
        #expect(handlers.value == 6)
    }

    // What a policy inside does to the reading must not keep a slow peer from its deadline.
    @Test func aThrottleInsideDoesNotBeginDeadlinesAnew() throws {
        let factory = stack(around: Factory { Lines() }, message: .seconds(5), bytesInPerSecond: 10)
        let victim = try reactor.connection(to: factory)
        let loud = try reactor.connection(to: factory)
        victim.say(".")
        // For 0.9 of each 2 seconds nobody is read from.
        for _ in 0..<4 {
            try reactor.advance(by: .seconds(1))
            loud.say(String(repeating: ".", count: 17) + "\r\n")
            #expect(victim.isPaused)
            try reactor.advance(by: .seconds(1))
            #expect(!victim.isPaused)
            victim.say(".")
        }
        try reactor.advance(by: .milliseconds(599))
        #expect(victim.state == .connected)
        try reactor.advance(by: .milliseconds(1))
        #expect(victim.reason?.deadline == .message(.seconds(5)))
    }

    @Test func aHalfCloseableProtocolInsideHearsOfItsHalves() throws {
        final class Sum: Twill::Protocol, HalfCloseableProtocol {
            private(set) var events: [String] = []
            private var sum = 0

            override func dataReceived(_ data: Span<UInt8>) { for index in data.indices { sum += Int(data[index]) } }

            func readConnectionLost() {
                events.append("read lost")
                transport.write("\(sum)")
                transport.loseConnection()
            }

            func writeConnectionLost() { events.append("write lost") }

            override func connectionLost(_ reason: ConnectionLost) { events.append("\(reason == .done)") }
        }
        let sum = Sum()
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: stack(around: OneConnectionFactory(sum)), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send([1, 2, 3])
                client.shutdownWriting()
                try client.expect("6")
                try client.expectEnd()
            }
        }
        #expect(sum.events == ["read lost", "true"])
    }

    @Test func aClientFactoryInsideConnectsAndHearsOfIt() throws {
        let client = Lines()
        let inside = RecordingClientFactory { [weak client] _ in client }
        let server = Recorder()
        server.whenMade = { $0.transport.write("half a li") }
        try withReactor(log: log) { reactor in
            inside.whenStopped = { reactor.stop() }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: stack(around: inside, message: .milliseconds(50)))
        }
        #expect(client.reason?.deadline == .message(.milliseconds(50)))
        #expect(inside.events == [.start, .startedConnecting, .lost(.timedOut), .stop])
    }

    /// Sends lines through policies, one after another, and counts what the reactor's thread allocates for them.
    private final class Pinger: LineReceiver {
        private(set) var allocations = -1
        private var answers = 0
        private var start = 0

        override func connectionMade() { sendLine("ping") }

        override func lineReceived(_ line: Span<UInt8>) {
            answers += 1
            if answers == 200 { start = twill_allocation_count() }
            guard answers == 1200 else { return sendLine(line) }
            allocations = twill_allocation_count() - start
            transport.reactor.stop()
        }
    }

    @Test(.enabled(if: twill_allocation_count() >= 0, "allocations are counted on glibc only, and not under a sanitizer"))
    func aMessageThroughThemAllocatesNothing() throws {
        let pinger = Pinger()
        try withReactor(log: log) { reactor in
            func policies(_ factory: Factory) -> WrappingFactory {
                let throttled = ThrottlingFactory(wrapping: factory, bytesInPerSecond: 1 << 30, bytesOutPerSecond: 1 << 30)
                let drained = DrainRateFactory(wrapping: throttled, bytesPerSecondMin: 1000)
                // Nobody would see its lines, and so it makes none.
                let quiet = TrafficLoggingFactory(wrapping: drained)
                return LimitConnectionsByPeer(
                    wrapping: TimeoutFactory(wrapping: DeadlineFactory(wrapping: quiet, firstByte: .seconds(60), message: .seconds(60))))
            }
            let port = try reactor.listenTCP(port: 0, factory: policies(Factory { Lines() }), interface: "127.0.0.1").number
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: policies(OneConnectionFactory(pinger)))
        }
        #expect(pinger.allocations == 0)
    }
}
