import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Text from bytes", .nothingLivesOn)
struct TextTests {
    static let damaged: [(String, [UInt8], Int, String)] = [
        ("a byte that begins nothing", [0x61, 0xFF, 0x62], 1, "a\u{FFFD}b"),
        ("a continuation alone", [0x80], 0, "\u{FFFD}"),
        ("a cut character at the end", [0x61, 0xE2, 0x82], 1, "a\u{FFFD}"),
        ("a cut character in the middle", [0xE2, 0x82, 0x61], 0, "\u{FFFD}a"),
        ("an overlong NUL", [0x61, 0x62, 0xC0, 0x80], 2, "ab\u{FFFD}\u{FFFD}"),
        ("half of a surrogate pair", [0xED, 0xA0, 0x80], 0, "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("beyond the last character", [0xF4, 0x90, 0x80, 0x80], 0, "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
    ]

    @Test(
        "text of every kind is taken", arguments: ["", "hello", "h\u{E9}\u{2014}\u{1F600}", "a\0b", "\u{FEFF}", "\u{10FFFF}", "e\u{301}"])
    func valid(_ expected: String) throws {
        let bytes = Array(expected.utf8)
        #expect(Array(try String(validating: bytes.span).utf8) == bytes)
        #expect(Array(String(repairing: bytes.span).utf8) == bytes)
    }

    @Test("what is no UTF-8 is rejected with its place, or repaired", arguments: damaged)
    func invalid(_ name: String, _ bytes: [UInt8], _ offset: Int, _ repaired: String) {
        #expect(throws: Rejection(.notUTF8, offset: offset)) { try String(validating: bytes.span) }
        #expect(String(repairing: bytes.span) == repaired)
    }

    @Test("the text outlives the bytes that it was made of")
    func copied() throws {
        var bytes = Array("hello, this is more than a small string holds".utf8)
        let (validated, repaired) = (try String(validating: bytes.span), String(repairing: bytes.span))
        for index in bytes.indices { bytes[index] = 0x2E }
        #expect(validated == "hello, this is more than a small string holds")
        #expect(repaired == validated)
    }

    /// Asks for text, and answers with it.
    private final class Greeter: LineReceiver {
        override func lineReceived(_ line: Span<UInt8>) throws {
            sendLine("hello, \(try String(validating: line))")
        }
        override func connectionLost(_ reason: ConnectionLost) {
            self.reason = reason
        }
        var reason: ConnectionLost?
    }

    private struct Mistake: Error {}

    private func run(_ handler: Twill::Protocol, log: RecordedLog, _ talk: @escaping @Sendable (RawSocket) throws -> Void) throws {
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(handler), interface: "127.0.0.1").number
            reactor.runClient { try talk(RawSocket(connectedTo: port)) }
        }
    }

    @Test("a rejection thrown from a callback is the reason of the loss, and is not logged")
    func thrownRejection() throws {
        let (greeter, log) = (Greeter(), RecordedLog())
        try run(greeter, log: log) { client in
            try client.send("you\r\n")
            try client.expect("hello, you\r\n")
            try client.send([0x61, 0xFF, 0x0D, 0x0A])
            try client.expectEnd()
        }
        #expect(greeter.reason == .badInput)
        #expect(greeter.reason?.underlying as? Rejection == Rejection(.notUTF8, offset: 1))
        #expect(log.entries == [], "a log of it would be the peer's to fill")
    }

    @Test("so is one of the framer's")
    func framersRejection() throws {
        let (greeter, log) = (Greeter(lengthMax: 3), RecordedLog())
        try run(greeter, log: log) { client in
            try client.send("abcd\r\n")
            try client.expectEnd()
        }
        #expect(greeter.reason == .badInput)
        #expect(greeter.reason?.underlying as? Rejection == Rejection(.lineTooLong(lengthMax: 3), offset: 3))
        #expect(log.entries == [])
    }

    @Test("any other error is a fault of the program's, and logged")
    func otherError() throws {
        let (recorder, log) = (Recorder(), RecordedLog())
        recorder.whenData = { _ in throw Mistake() }
        try run(recorder, log: log) { client in
            try client.send("x")
            try client.expectEnd()
        }
        #expect(recorder.reason == .failed)
        #expect(log.entries.count == 1)
    }

    @Test("a rejection from connectionMade or from a timer of the connection's is the reason as well", arguments: [false, true])
    func elsewhere(fromATimer: Bool) throws {
        let (recorder, log) = (Recorder(), RecordedLog())
        let rejection = Rejection(.other("the first line must be HELLO"), offset: 0)
        recorder.whenMade = {
            guard fromATimer else { throw rejection }
            $0.transport.callLater(.zero) { throw rejection }
        }
        try run(recorder, log: log) { client in try client.expectEnd() }
        #expect(recorder.reason == .badInput)
        #expect(recorder.reason?.underlying as? Rejection == rejection)
        #expect(log.entries == [])
    }

    @Test("each rule has a sentence that names the limit and the place")
    func descriptions() {
        let sentences = [
            (Rejection.Reason.lineTooLong(lengthMax: 8), "the peer sent a line of more than 8 bytes (lengthMax), at byte 7"),
            (.stringTooLong(lengthMax: 9), "the peer announced a string of more than 9 bytes (lengthMax), at byte 7"),
            (.badNetstringLength, "the peer sent something other than a netstring's length and colon, at byte 7"),
            (.missingComma, "the peer sent a netstring that does not end with a comma, at byte 7"),
            (.notUTF8, "the peer sent text that is no UTF-8, at byte 7"),
            (.other("no HELLO"), "no HELLO, at byte 7"),
        ]
        for (reason, sentence) in sentences { #expect(Rejection(reason, offset: 7).description == sentence) }
    }
}
