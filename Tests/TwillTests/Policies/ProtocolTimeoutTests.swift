import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("A protocol's timeout", .nothingLivesOn)
final class ProtocolTimeoutTests {
    private struct Bored: Error {}

    /// Has a timeout from the first moment on, and counts how often it passes.
    private final class Patient: Twill::Protocol {
        var whenTimedOut: ((Patient) throws -> Void)?
        private(set) var timeouts = 0

        override func connectionMade() { setTimeout(.seconds(10)) }

        override func dataReceived(_ data: Span<UInt8>) { resetTimeout() }

        override func timeoutConnection() throws {
            timeouts += 1
            guard let whenTimedOut else { return try super.timeoutConnection() }
            try whenTimedOut(self)
        }
    }

    private let reactor = VirtualReactor()

    deinit { reactor.end() }

    private func connected(_ handler: Twill::Protocol) -> VirtualTransport {
        let transport = VirtualTransport(reactor)
        transport.connect(handler)
        return transport
    }

    @Test func itClosesTheConnectionWhenItsTimeHasCome() throws {
        let transport = connected(Patient())
        try reactor.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(transport.reason == .timedOut)
        #expect(transport.state == .disconnected)
    }

    @Test func aResetBeginsItAnew() throws {
        let transport = connected(Patient())
        for _ in 0..<5 {
            try reactor.advance(by: .seconds(9))
            transport.say(".")
        }
        try reactor.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(transport.state == .disconnected)
    }

    @Test func settingNoneTakesItBackAndTellsWhatWasSet() throws {
        let patient = Patient()
        let transport = connected(patient)
        #expect(patient.setTimeout(nil) == .seconds(10))
        #expect(patient.setTimeout(nil) == nil)
        patient.resetTimeout()
        try reactor.advance(by: .seconds(100))
        #expect(patient.timeouts == 0)
        #expect(transport.state == .connected)
    }

    @Test func aNewPeriodReplacesTheOldOne() throws {
        let patient = Patient()
        _ = connected(patient)
        #expect(patient.setTimeout(.seconds(3)) == .seconds(10))
        #expect(reactor.delayedCalls.count == 1)
        try reactor.advance(by: .seconds(3))
        #expect(patient.timeouts == 1)
    }

    @Test func oneThatIsSetBeforeTheConnectionBeginsWithIt() throws {
        let early = Twill::Protocol()
        early.setTimeout(.seconds(5))
        early.resetTimeout()
        #expect(reactor.delayedCalls.isEmpty)
        try reactor.advance(by: .seconds(60))
        let transport = connected(early)
        try reactor.advance(by: .seconds(4))
        #expect(transport.state == .connected)
        try reactor.advance(by: .seconds(1))
        #expect(transport.reason == .timedOut)
    }

    @Test func itPassesOnceAndCanBeSetAgainWhenItDoes() throws {
        let patient = Patient()
        patient.whenTimedOut = { $0.resetTimeout() }
        _ = connected(patient)
        try reactor.advance(by: .seconds(60))
        #expect(patient.timeouts == 1)
        #expect(patient.setTimeout(.seconds(10)) == .seconds(10))
        patient.whenTimedOut = { $0.setTimeout(.seconds(10)) }
        try reactor.advance(by: .seconds(30))
        #expect(patient.timeouts == 4)
    }

    @Test func whatTheOverrideThrowsEndsTheConnection() throws {
        let patient = Patient()
        patient.whenTimedOut = { _ in throw Bored() }
        let transport = connected(patient)
        try reactor.advance(by: .seconds(10))
        #expect(transport.reason == .failed)
        #expect(transport.reason?.underlying is Bored)
    }

    @Test func theLossOfTheConnectionEndsIt() throws {
        let patient = Patient()
        let transport = connected(patient)
        transport.lose()
        #expect(reactor.delayedCalls.isEmpty)
        patient.setTimeout(.seconds(1))
        #expect(reactor.delayedCalls.isEmpty)
        try reactor.advance(by: .seconds(100))
        #expect(patient.timeouts == 0)
    }

    @Test func itDoesNotKeepTheProtocol() throws {
        weak var gone: Patient?
        // A transport that nobody closes, and that does not keep the protocol either.
        let transport = VirtualTransport(reactor)
        transport.setState(.connected)
        do {
            let patient = Patient()
            gone = patient
            try patient.makeConnection(transport)
        }
        #expect(gone == nil)
        #expect(reactor.delayedCalls.count == 1)
        try reactor.advance(by: .seconds(10))
        #expect(transport.state == .connected)
    }

    @Test func aSilentPeerOfARealConnectionIsClosed() throws {
        let timeout = Duration.milliseconds(100)
        let reason = Shared<ConnectionLost?>(nil)
        let lifetime = Shared(Duration.zero)
        try withReactor { reactor in
            let recorder = Recorder()
            var start = reactor.now
            recorder.whenMade = {
                start = reactor.now
                $0.setTimeout(timeout)
            }
            recorder.whenLost = {
                reason.value = $1
                lifetime.value = start.duration(to: reactor.now)
            }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(recorder), interface: "127.0.0.1").number
            reactor.runClient { try RawSocket(connectedTo: port).expectEnd() }
        }
        #expect(reason.value == .timedOut)
        #expect(lifetime.value >= timeout)
    }
}
