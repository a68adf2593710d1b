import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class TimeoutFactoryTests {
    private let reactor = VirtualReactor()
    private let recorder = Recorder()

    deinit { reactor.end() }

    private func connected(_ timeout: Duration = .seconds(30)) throws -> VirtualTransport {
        try reactor.connection(to: TimeoutFactory(wrapping: OneConnectionFactory(recorder), timeout: timeout))
    }

    @Test func halfAnHourIsTheDefault() {
        #expect(TimeoutFactory(wrapping: Factory()).timeout == .seconds(1800))
    }

    @Test func aSilentConnectionIsClosedAndHearsWhy() throws {
        let transport = try connected()
        try reactor.advance(by: .seconds(30) - .nanoseconds(1))
        #expect(recorder.events == [.made])
        try reactor.advance(by: .nanoseconds(1))
        #expect(recorder.events == [.made, .lost(.timedOut)])
        #expect(transport.reason?.deadline == .idle(.seconds(30)))
        #expect(!transport.wasAborted)
    }

    @Test func everyReadAndEveryWriteBeginsItAnew() throws {
        let transport = try connected()
        let signs: [() -> Void] = [
            { transport.say("hello") },
            { self.recorder.transport.write("hello") },
            { self.recorder.transport.write(SharedBytes("hello")) },
            { self.recorder.transport.writeFrame(prefix: .none, body: Span(), suffix: edge("123")) },
        ]
        for sign in signs {
            try reactor.advance(by: .seconds(29))
            sign()
        }
        try reactor.advance(by: .seconds(29))
        #expect(transport.state == .connected)
        try reactor.advance(by: .seconds(1))
        #expect(transport.state == .disconnected)
    }

    @Test func whatIsNotSentIsNoSignOfLife() throws {
        let transport = try connected()
        recorder.transport.loseWriteConnection()
        try reactor.advance(by: .seconds(29))
        recorder.transport.write("dropped")
        recorder.transport.write("")
        try reactor.advance(by: .seconds(1))
        #expect(transport.state == .disconnected)
    }

    @Test func theProtocolMayHaveATimeoutOfItsOwnBesideIt() throws {
        recorder.whenMade = { $0.setTimeout(.seconds(5)) }
        let transport = try connected()
        try reactor.advance(by: .seconds(5))
        #expect(transport.reason == .timedOut)
        #expect(transport.reason?.underlying == nil)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aRealConnectionIsClosedWhenItFallsSilent() throws {
        let timeout = Duration.milliseconds(200)
        let recorder = recorder
        let idle = Shared(Duration.zero)
        try withReactor { reactor in
            var last = reactor.now
            recorder.whenData = {
                last = reactor.now
                $0.transport.write("ok")
            }
            recorder.whenLost = { _, _ in idle.value = last.duration(to: reactor.now) }
            let factory = TimeoutFactory(wrapping: OneConnectionFactory(recorder), timeout: timeout)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                for _ in 0..<4 {
                    pauseThread(.milliseconds(20))
                    try client.send("hello")
                    try client.expect("ok")
                }
                try client.expectEnd()
            }
        }
        #expect(recorder.text == "hellohellohellohello")
        #expect(recorder.reason == .timedOut)
        #expect(recorder.reason?.deadline == .idle(timeout))
        #expect(idle.value >= timeout)
    }
}
