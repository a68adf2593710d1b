import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("What is left after many connections", .nothingLivesOn)
struct SocketTransportLeakTests {
    /// A protocol that is counted, and ends its connection in the way that the first byte asks for.
    private final class Counted: Twill::Protocol {
        let alive: Counter
        let losses: Counter
        private var wasLost = false

        init(alive: Counter, losses: Counter) {
            self.alive = alive
            self.losses = losses
            alive.add()
        }

        deinit { alive.add(-1) }

        override func dataReceived(_ data: Span<UInt8>) {
            switch data[0] {
            case UInt8(ascii: "l"): transport.loseConnection()
            case UInt8(ascii: "a"): transport.abortConnection()
            case UInt8(ascii: "w"): transport.write([UInt8](repeating: 1, count: 2 << 20))
            default: transport.write(data)
            }
        }

        override func connectionLost(_ reason: ConnectionLost) {
            #expect(!wasLost)
            wasLost = true
            losses.add()
        }
    }

    /// One raw client's visit, in one of many ways to end it.
    private static func visit(_ number: Int, port: Int) throws {
        let client = try RawSocket(connectedTo: port)
        switch number % 8 {
        case 0: client.close()
        case 1: client.reset()
        case 2:
            try client.send("lose")
            _ = try client.receiveToEnd()
        case 3:
            try client.send("abort")
            #expect(throws: CallFailure.self) { _ = try client.receiveToEnd() }
        case 4:
            try client.send("echo")
            _ = try client.receive(exactly: 4)
        case 5:
            try client.send("half a li")
            client.reset()
        case 6:
            // Two megabytes wait when the peer vanishes.
            try client.send("write")
            _ = try client.receive(exactly: 1)
            client.reset()
        default:
            client.shutdownWriting()
            _ = try client.receiveToEnd()
        }
        client.close()
    }

    @Test func everyProtocolIsLostOnceAndLetGo() throws {
        let count = 2_000
        let alive = Counter()
        let losses = Counter()
        let log = RecordedLog()
        let most = Shared(0)
        try withReactor(deadline: .seconds(120), log: log) { reactor in
            let factory = Factory { Counted(alive: alive, losses: losses) }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                for number in 0..<count {
                    try Self.visit(number, port: port)
                    most.value = max(most.value, alive.value)
                }
            } then: {
                func wait() {
                    if losses.value == count { reactor.afterTurns(3) { reactor.stop() } } else { reactor.callLater(.milliseconds(5), wait) }
                }
                wait()
            }
        }
        #expect(losses.value == count)
        #expect(alive.value == 0)
        // They went as they ended, not all at the stop.
        #expect(most.value < 1_000)
        #expect(log.entries.isEmpty)
    }

    @Test func aStoppedReactorLetsGoOfEveryConnection() throws {
        let alive = Counter()
        let losses = Counter()
        weak var gone: LibeventReactor?
        do {
            let reactor = try LibeventReactor(logger: RecordedLog().logger)
            gone = reactor
            let factory = Factory { Counted(alive: alive, losses: losses) }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            let clients = try (0..<100).map { _ in try RawSocket(connectedTo: port) }
            func wait() { if alive.value == 100 { reactor.stop() } else { reactor.callLater(.milliseconds(1)) { wait() } } }
            reactor.callWhenRunning { wait() }
            try reactor.runToStop()
            withExtendedLifetime(clients) {}
        }
        #expect(losses.value == 100)
        #expect(alive.value == 0)
        #expect(gone == nil)
    }
}
