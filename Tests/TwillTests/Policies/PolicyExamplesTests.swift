import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

// The programs of Policies.md and of the policies' own documentation, word for word (only that the test library knows another `Protocol`), and what
// they say they do.

private final class Shout: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine(text(line).uppercased()) }
}

private final class Patient: LineReceiver {
    override func connectionMade() { setTimeout(.seconds(30)) }
    override func lineReceived(_ line: Span<UInt8>) { resetTimeout() }
    override func timeoutConnection() {
        sendLine("good bye")
        transport.loseConnection(because: .timedOut)
    }
}

private final class Fours: Twill::Protocol {
    private var held: [UInt8] = []
    override var unfinishedByteCount: Int { held.count }
    override func dataReceived(_ data: Span<UInt8>) {
        for index in data.indices {
            held.append(data[index])
            guard held.count == 4 else { continue }
            transport.write(held)
            held = []
        }
    }
}

private final class Busy: Twill::Protocol {
    override func connectionMade() {
        transport.write("busy, come back later\r\n")
        transport.loseConnection()
    }
}

private final class MeteringFactory: WrappingFactory {
    var bytesReceived = 0
    var bytesSent = 0

    override func wrap(_ handler: Twill::Protocol) -> ProtocolWrapper { Metered(wrapping: handler, by: self) }
}

private final class Metered: ProtocolWrapper {
    private let meter: MeteringFactory

    init(wrapping wrapped: Twill::Protocol, by meter: MeteringFactory) {
        self.meter = meter
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        try wrapped.makeConnection(TransportWrapper(over: transport) { [meter] in meter.bytesSent += $0 })
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        meter.bytesReceived += data.count
        try super.dataReceived(data)
    }
}

@Suite(.nothingLivesOn) final class PolicyExamplesTests {
    private let reactor = VirtualReactor()
    private let shouts = Factory { Shout() }

    deinit { reactor.end() }

    @Test func thePatientOneSaysGoodBye() throws {
        let transport = try reactor.connection(to: Factory { Patient() })
        try reactor.advance(by: .seconds(20))
        transport.say("hello\r\n")
        try reactor.advance(by: .seconds(30))
        #expect(transport.written == "good bye\r\n")
        #expect(transport.reason == .timedOut)
    }

    @Test func theServerOfTheOverviewListensAndAnswers() throws {
        try withReactor { reactor in
            let patient = DrainRateFactory(wrapping: shouts, bytesPerSecondMin: 1024)
            let timed = DeadlineFactory(wrapping: patient, firstByte: .seconds(10), message: .seconds(30))
            let idle = TimeoutFactory(wrapping: timed, timeout: .seconds(300))
            let port = try reactor.listenTCP(
                port: 0, factory: LimitConnectionsByPeer(wrapping: idle, connectionsMax: 20), interface: "127.0.0.1"
            ).number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send("hello\r\n")
                try client.expect("HELLO\r\n")
            }
        }
    }

    @Test func whoSaysHowMuchIsUnfinishedHasADeadline() throws {
        let transport = try reactor.connection(to: DeadlineFactory(wrapping: Factory { Fours() }, message: .seconds(30)))
        transport.say("123456")
        #expect(transport.written == "1234")
        try reactor.advance(by: .seconds(30))
        #expect(transport.reason?.deadline == .message(.seconds(30)))
    }

    @Test func theOthersDoWhatTheySay() throws {
        let patient = DrainRateFactory(wrapping: shouts, bytesPerSecondMin: 1024, window: .seconds(10))
        let throttled = ThrottlingFactory(
            wrapping: patient, bytesInPerSecond: 1 << 20, bytesOutPerSecond: 10 << 20, connectionsMax: 500)
        let limited = LimitTotalConnectionsFactory(wrapping: throttled, connectionsMax: 1) { Busy() }
        let fair = LimitConnectionsByPeer(wrapping: limited, connectionsMax: 20)
        let lines = Shared<[String]>([])
        let logged = TrafficLoggingFactory(wrapping: fair, lengthMax: 80) { line in lines.change { $0.append(line) } }
        let first = try reactor.connection(to: logged)
        first.say("hello\r\n")
        #expect(lines.value == [#"C 1: "hello\r\n""#, #"S 1: "HELLO\r\n""#])
        #expect(try reactor.connection(to: logged).written == "busy, come back later\r\n")
    }

    @Test func theMeterCounts() throws {
        let factory = MeteringFactory(wrapping: shouts)
        for _ in 0..<2 { try reactor.connection(to: factory).say("hello\r\n") }
        #expect(factory.bytesReceived == 14)
        #expect(factory.bytesSent == 14)
    }
}
