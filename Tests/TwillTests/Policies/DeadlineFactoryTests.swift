import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class DeadlineFactoryTests {
    /// Receives lines, and does what the test wants on each.
    private final class Lines: LineReceiver {
        private(set) var lines: [String] = []
        private(set) var reason: ConnectionLost?
        var whenLine: (Lines) -> Void = { _ in }

        override func lineReceived(_ line: Span<UInt8>) {
            lines.append(text(line))
            whenLine(self)
        }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    private let reactor = VirtualReactor()
    private let lines = Lines()

    deinit { reactor.end() }

    private func connected(firstByte: Duration? = nil, message: Duration? = .seconds(10)) throws -> VirtualTransport {
        let factory = DeadlineFactory(wrapping: OneConnectionFactory(lines), firstByte: firstByte, message: message)
        return try reactor.connection(to: factory)
    }

    @Test func whoDoesNotBeginToSpeakIsClosed() throws {
        let transport = try connected(firstByte: .seconds(5))
        try reactor.advance(by: .seconds(5) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(lines.reason == .timedOut)
        #expect(lines.reason?.deadline == .firstByte(.seconds(5)))
        #expect(!transport.wasAborted)
    }

    @Test func whoBeganInTimeMayBeSilentBetweenMessages() throws {
        let transport = try connected(firstByte: .seconds(5))
        try reactor.advance(by: .seconds(4))
        transport.say("hello\r\n")
        try reactor.advance(by: .seconds(1000))
        transport.say("again\r\n")
        try reactor.advance(by: .seconds(1000))
        #expect(transport.state == .connected)
        #expect(lines.lines == ["hello", "again"])
    }

    @Test func aByteNowAndThenDoesNotMakeAMessageLastLonger() throws {
        let transport = try connected(firstByte: .seconds(5))
        try reactor.advance(by: .seconds(3))
        for _ in 0..<9 {
            transport.say(".")
            try reactor.advance(by: .seconds(1))
        }
        transport.say(".")
        try reactor.advance(by: .seconds(1) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(lines.reason?.deadline == .message(.seconds(10)))
    }

    @Test func neitherDoesAHalfDelimiter() throws {
        let transport = try connected()
        for _ in 0..<10 {
            transport.say("\r")
            try reactor.advance(by: .seconds(1))
        }
        #expect(transport.state == .disconnected)
    }

    @Test func eachMessageHasADeadlineOfItsOwn() throws {
        let transport = try connected()
        for _ in 0..<5 {
            transport.say("first half ")
            try reactor.advance(by: .seconds(9))
            transport.say("and second\r\n")
            // What is left of the old deadline is none of the next message's.
            try reactor.advance(by: .milliseconds(500))
        }
        #expect(transport.state == .connected)
        #expect(lines.lines.count == 5)
    }

    @Test func oneReadMayEndAMessageAndBeginAnother() throws {
        let transport = try connected()
        transport.say("one")
        for _ in 0..<5 {
            try reactor.advance(by: .seconds(9))
            transport.say("\r\nnext")
        }
        #expect(lines.lines.count == 5)
        try reactor.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(transport.state == .disconnected)
    }

    @Test func timeInWhichNobodyReadsDoesNotCount() throws {
        let transport = try connected()
        transport.say("half")
        // Shorter than what is left, and longer, and after that not at all.
        for pause in [3, 60, 7, 1000] {
            try reactor.advance(by: .seconds(2))
            lines.pauseProducing()
            try reactor.advance(by: .seconds(pause))
            try lines.resumeProducing()
        }
        try reactor.advance(by: .seconds(2) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(lines.reason?.deadline == .message(.seconds(10)))
    }

    @Test func whatAPauseHeldBackHasItsTimeFromTheResumption() throws {
        let transport = try connected()
        transport.say("old")
        try reactor.advance(by: .seconds(9))
        lines.whenLine = { $0.pauseProducing() }
        transport.say("\r\nhalf of the ne")
        try reactor.advance(by: .seconds(60))
        try lines.resumeProducing()
        try reactor.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(lines.reason?.deadline == .message(.seconds(10)))
    }

    @Test func whatAPauseHeldBackMayBeWhole() throws {
        let transport = try connected()
        lines.whenLine = { $0.pauseProducing() }
        transport.say("one\r\ntwo\r\n")
        lines.whenLine = { _ in }
        try lines.resumeProducing()
        #expect(lines.lines == ["one", "two"])
        try reactor.advance(by: .seconds(1000))
        #expect(transport.state == .connected)
    }

    @Test func theFirstByteIsWaitedForWhileSomebodyReads() throws {
        let transport = try connected(firstByte: .seconds(5))
        lines.pauseProducing()
        try reactor.advance(by: .seconds(60))
        try lines.resumeProducing()
        try reactor.advance(by: .seconds(4))
        #expect(transport.state == .connected)
        try reactor.advance(by: .seconds(1))
        #expect(lines.reason?.deadline == .firstByte(.seconds(5)))
    }

    @Test func eitherDeadlineMayStandAlone() throws {
        let onlyFirst = try connected(firstByte: .seconds(5), message: nil)
        onlyFirst.say("half")
        try reactor.advance(by: .seconds(1000))
        #expect(onlyFirst.state == .connected)
        let onlyMessage = try reactor.connection(to: DeadlineFactory(wrapping: Factory { Lines() }, message: .seconds(10)))
        try reactor.advance(by: .seconds(1000))
        #expect(onlyMessage.state == .connected)
    }

    @Test func aNetstringIsAMessageToo() throws {
        let factory = DeadlineFactory(wrapping: Factory { NetstringReceiver() }, message: .seconds(10))
        let transport = try reactor.connection(to: factory)
        transport.say("5:hello,100:")
        for _ in 0..<9 {
            transport.say(".")
            try reactor.advance(by: .seconds(1))
        }
        #expect(transport.state == .connected)
        try reactor.advance(by: .seconds(1))
        #expect(transport.reason?.deadline == .message(.seconds(10)))
    }

    @Test func theLengthOfANetstringBelongsToTheMessage() throws {
        let transport = try reactor.connection(to: DeadlineFactory(wrapping: Factory { NetstringReceiver() }, message: .seconds(10)))
        for digit in "12345" {
            transport.say(String(digit))
            try reactor.advance(by: .seconds(1))
        }
        #expect(transport.state == .connected)
        try reactor.advance(by: .seconds(5))
        #expect(transport.reason?.deadline == .message(.seconds(10)))
    }

    @Test func aRealPeerThatSaysNothingIsClosed() throws {
        let lines = lines
        let limit = Duration.milliseconds(100)
        let lifetime = Shared(Duration.zero)
        try withReactor { reactor in
            var start = reactor.now
            let factory = DeadlineFactory(
                wrapping: Factory { [weak lines] _ in
                    start = reactor.now
                    return lines
                }, firstByte: limit)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                try RawSocket(connectedTo: port).expectEnd()
            } then: {
                lifetime.value = start.duration(to: reactor.now)
                reactor.stop()
            }
        }
        #expect(lines.reason?.deadline == .firstByte(limit))
        #expect(lifetime.value >= limit)
    }

    @Test func aProtocolThatKnowsNoMessagesHasNoDeadlineForThem() throws {
        let factory = DeadlineFactory(wrapping: Factory { Recorder() }, message: .seconds(10))
        let transport = try reactor.connection(to: factory)
        transport.say("half")
        try reactor.advance(by: .seconds(1000))
        #expect(transport.state == .connected)
    }

    @Test func aFramingOfOnesOwnSaysWhatIsUnfinished() throws {
        /// Messages of four bytes.
        final class Fours: Twill::Protocol {
            private var held = 0
            override var unfinishedByteCount: Int { held }
            override func dataReceived(_ data: Span<UInt8>) { held = (held + data.count) % 4 }
        }
        let transport = try reactor.connection(to: DeadlineFactory(wrapping: Factory { Fours() }, message: .seconds(10)))
        transport.say("12345")
        try reactor.advance(by: .seconds(9))
        transport.say("67")
        try reactor.advance(by: .seconds(1))
        #expect(transport.reason?.deadline == .message(.seconds(10)))
    }
}
