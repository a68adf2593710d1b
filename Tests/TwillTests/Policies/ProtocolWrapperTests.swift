import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) struct ProtocolWrapperTests {
    private final class HalfCloseable: Twill::Protocol, HalfCloseableProtocol {
        override var logPrefix: String { "half" }
        override var unfinishedByteCount: Int { 7 }
        func readConnectionLost() {}
        func writeConnectionLost() {}
    }

    @Test func itAnswersAsTheOneInsideDoes() {
        let inside = HalfCloseable()
        let outside = ProtocolWrapper(wrapping: ProtocolWrapper(wrapping: inside))
        #expect(outside.logPrefix == "half")
        #expect(outside.unfinishedByteCount == 7)
        #expect(outside.halfCloseable === inside)
        #expect(ProtocolWrapper(wrapping: Recorder()).halfCloseable == nil)
    }

    @Test func everyEventGoesOnInside() {
        let inside = Recorder()
        let reactor = VirtualReactor()
        defer { reactor.end() }
        let transport = VirtualTransport(reactor)
        transport.connect(ProtocolWrapper(wrapping: ProtocolWrapper(wrapping: inside)))
        #expect(inside.transport === transport)
        transport.say("hello")
        transport.lose(.timedOut)
        #expect(inside.events == [.made, .data("hello"), .lost(.timedOut)])
    }

    @Test func whatTheOneInsideThrowsEndsTheConnection() throws {
        struct Mistake: Error {}
        let log = RecordedLog()
        let inside = Recorder()
        inside.whenData = { _ in throw Mistake() }
        try withReactor(log: log) { reactor in
            let factory = TimeoutFactory(wrapping: WrappingFactory(wrapping: OneConnectionFactory(inside)))
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send("x")
                try client.expectEnd()
            }
        }
        #expect(inside.events == [.made, .data("x"), .lost(.failed)])
        #expect(inside.reason?.underlying is Mistake)
        #expect(log.entries == ["error: Recorder.dataReceived threw: Mistake()"])
    }
}
