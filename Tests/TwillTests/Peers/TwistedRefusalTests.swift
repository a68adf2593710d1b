import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Twisted's receivers and Twill's of the same name agree on what is wrong, and on what comes of it: whoever receives it closes the connection,
/// and delivers nothing that stands behind it.
@Suite("What Twisted's receivers and ours refuse", .nothingLivesOn, .needsTwisted)
struct TwistedRefusalTests {
    /// A stream that holds a message as it should be, something that breaks the rules, and where it can be told apart another message.
    struct Breach: Sendable {
        let framing: SharedFraming
        let stream: [UInt8]
        let rejection: Rejection

        init(_ framing: SharedFraming, _ parts: [UInt8]..., reason: Rejection.Reason, offset: Int) {
            self.framing = framing
            stream = parts.flatMap { $0 }
            rejection = Rejection(reason, offset: offset)
        }

        init(_ framing: SharedFraming, _ text: String, reason: Rejection.Reason, offset: Int) {
            self.init(framing, Array(text.utf8), reason: reason, offset: offset)
        }

        var hexadecimal: String {
            stream.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
    }

    /// The longest message that either side takes.
    static let lengthMax = 100

    static let breaches = {
        let tooLong = String(repeating: "a", count: lengthMax + 1)
        let (hello, tooMany) = (Array("hello".utf8), Array(tooLong.utf8))
        let lineTooLong = Rejection.Reason.lineTooLong(lengthMax: lengthMax)
        let stringTooLong = Rejection.Reason.stringTooLong(lengthMax: lengthMax)
        return [
            Breach(.lines, "hello\r\n\(tooLong)\r\nnever\r\n", reason: lineTooLong, offset: 107),
            Breach(.lines, "hello\r\n\(tooLong)a", reason: lineTooLong, offset: 107),
            Breach(.netstrings, "5:hello,101:\(tooLong),5:never,", reason: stringTooLong, offset: 10),
            Breach(.netstrings, "5:hello,99999999999999999999:", reason: stringTooLong, offset: 10),
            Breach(.netstrings, "5:hello,x5:never,", reason: .badNetstringLength, offset: 8),
            Breach(.netstrings, "5:hello,:,5:never,", reason: .badNetstringLength, offset: 8),
            Breach(.netstrings, "5:hello,-1:,5:never,", reason: .badNetstringLength, offset: 8),
            Breach(.netstrings, "5:hello,05:hello,5:never,", reason: .badNetstringLength, offset: 9),
            Breach(.netstrings, "5:hello,5 :hello,5:never,", reason: .badNetstringLength, offset: 9),
            Breach(.netstrings, "5:hello,3:abcd,5:never,", reason: .missingComma, offset: 13),
            Breach(.int32, [0, 0, 0, 5], hello, [0, 0, 0, 101], tooMany, reason: stringTooLong, offset: 9),
            Breach(.int32, [0, 0, 0, 5], hello, [255, 255, 255, 255], reason: stringTooLong, offset: 9),
            Breach(.int16, [0, 5], hello, [0, 101], tooMany, reason: stringTooLong, offset: 7),
            Breach(.int8, [5], hello, [101], tooMany, reason: stringTooLong, offset: 6),
        ]
    }()

    /// One connection of ours: sends a stream as it stands, and notes what comes of it.
    private final class Meeting: ReceiverOwner {
        private let stream: [UInt8]
        private(set) var received: [[UInt8]] = []
        private(set) var reason: ConnectionLost?
        /// Whether the connection has begun and not ended.
        private(set) var isOpen = false

        init(sends stream: [UInt8] = []) {
            self.stream = stream
        }

        func made(_ receiver: any SharedReceiver) {
            isOpen = true
            receiver.transport.write(stream)
        }
        func received(_ message: Span<UInt8>) { received.append(Array(copying: message)) }
        func readLost(_ receiver: any SharedReceiver) { receiver.transport.loseConnection() }
        func lost(_ reason: ConnectionLost) {
            isOpen = false
            self.reason = reason
        }
    }

    @Test func whatTwistedSendsAgainstTheRulesIsRefusedWithTheReasonAndThePlace() throws {
        let breaches = Self.breaches
        let meetings = breaches.map { _ in Meeting() }
        var expected = Array(zip(breaches, meetings).reversed())
        let said = try withTwistedPeer { reactor in
            let factory = Factory { _ in
                expected.popLast().map { breach, meeting in breach.framing.makeReceiver(lengthMax: Self.lengthMax, owner: meeting) }
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let streams = breaches.map { "\($0.framing.rawValue):\($0.hexadecimal)" }
            return try TwistedPeer(["break", "\(port.number)", "\(Self.lengthMax)"] + streams)
        } until: {
            !meetings.contains { $0.isOpen }
        }

        for (breach, meeting) in zip(breaches, meetings) {
            #expect(meeting.received == [Array("hello".utf8)], "\(breach)")
            #expect(meeting.reason == .badInput, "\(breach)")
            #expect(meeting.reason?.underlying as? Rejection == breach.rejection, "\(breach)")
        }
        // Twisted's side was sent nothing, and saw that the connection was closed in good order.
        #expect(said == breaches.map { _ in "0 went along ConnectionDone" })
    }

    @Test func whatWeSendAgainstTheRulesTwistedRefusesToo() throws {
        let breaches = Self.breaches
        let meetings = breaches.map { Meeting(sends: $0.stream) }
        let said = try withTwistedPeer { reactor in
            let peer = try TwistedPeer(["refuse", "listen", "\(Self.lengthMax)"] + breaches.map(\.framing.rawValue))
            let port = try peer.port()
            func meet(_ number: Int) throws {
                guard number < meetings.count else { return }
                let factory = RecordingClientFactory {
                    breaches[number].framing.makeReceiver(lengthMax: Self.lengthMax, owner: meetings[number])
                }
                factory.whenLost = { [weak factory] _, _ in
                    factory?.whenLost = nil
                    try meet(number + 1)
                }
                try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory)
            }
            try meet(0)
            return peer
        } until: {
            !meetings.contains { $0.isOpen }
        }

        #expect(said == breaches.map { _ in "1 refused ConnectionDone" })
        for (breach, meeting) in zip(breaches, meetings) {
            #expect(meeting.received == [], "\(breach)")
            #expect(meeting.reason == .done, "\(breach)")
        }
    }
}
