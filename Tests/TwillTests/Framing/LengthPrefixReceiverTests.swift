import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Section 4 of the catalogue of cases.
@Suite("LengthPrefixReceiver", .nothingLivesOn)
struct LengthPrefixReceiverTests {
    private static let x11 = String(repeating: "x", count: 11)
    private static let int16 = LengthPrefix.uint16

    struct PrefixRow: Sendable, CustomTestStringConvertible {
        let row: Row
        let prefix: LengthPrefix
        var testDescription: String { row.testDescription }

        init(_ name: String, _ prefix: LengthPrefix, _ input: String, _ expected: [String], lengthMax: Int = 99_999) {
            self.prefix = prefix
            row = Row(name, input, expected, lengthMax: lengthMax)
        }
    }

    @Test(
        "rows that hold at every chunking",
        arguments: [
            PrefixRow("I01: an empty string", int16, "\0\0", ["str()"]),
            PrefixRow("I03: one after another", .uint8, "\u{1}a\u{2}bc\0\u{1}d", ["str(a)", "str(bc)", "str()", "str(d)"]),
            PrefixRow(
                "I04: a length above the limit ends it", int16, "\0\u{1}a\0\u{B}\(x11)\0\u{1}z", ["str(a)", "LOSE"], lengthMax: 10),
            PrefixRow("I04b: for good", int16, "\0\u{1}a\0\u{B}\(x11)\0\u{1}z\0\u{1}y", ["str(a)", "LOSE"], lengthMax: 10),
            PrefixRow(
                "I05: the limit itself is accepted, the prefix alone can pass it", int16, "\0\u{3}abc\0\u{4}", ["str(abc)", "LOSE"],
                lengthMax: 3),
            PrefixRow("I05b: far above the limit", .uint32, "\u{10}\0\0\0", ["LOSE"]),
            PrefixRow("I05c: the default limit", .uint32, "\0\u{1}\u{86}\u{9F}", []),
            PrefixRow("I05c: one above it", .uint32, "\0\u{1}\u{86}\u{A0}", ["LOSE"]),
            PrefixRow("I06: a string that is too long and whole", int16, "\0\u{B}\(x11)", ["LOSE"], lengthMax: 10),
            PrefixRow("a limit of 0 takes empty strings only", .uint8, "\0\0\u{1}a", ["str()", "str()", "LOSE"], lengthMax: 0),
            PrefixRow("the least significant byte first", .uint16(.littleEndian), "\u{3}\0abc\0\0", ["str(abc)", "str()"]),
            PrefixRow(
                "the least significant of eight first", .uint64(.littleEndian), "\u{2}\0\0\0\0\0\0\0ab\0\0\0\0\0\0\0\u{1}",
                ["str(ab)", "LOSE"]),
            PrefixRow("more than a machine's number", .uint64, "\u{80}\0\0\0\0\0\0\0", ["LOSE"], lengthMax: .max),
            PrefixRow(
                "a machine's greatest number, where there is no limit", .uint64, "\u{7F}" + String(repeating: "\u{FF}", count: 7) + "abc",
                [], lengthMax: .max),
            PrefixRow("a part of a prefix", .uint64, "\0\0\0\0\0\0\0", []),
        ])
    func atEveryChunking(_ row: PrefixRow) throws {
        try expectAtEveryChunking(row.row.input, row.row.expected) {
            try ScriptedStrings(row.prefix, lengthMax: row.row.lengthMax)
        } atTheEnd: {
            #expect(($0.rejection != nil) == (row.row.expected.last == "LOSE"))
        }
    }

    @Test("I04: the reason says which rule was broken, and where") func reason() throws {
        try expectAtEveryChunking("\0\u{1}a\0\u{B}\(Self.x11)", ["str(a)", "LOSE"]) {
            try ScriptedStrings(.uint16, lengthMax: 10)
        } atTheEnd: {
            #expect($0.rejection == Rejection(.stringTooLong(lengthMax: 10), offset: 3))
        }
    }

    @Test("I04b: what arrives after a length above the limit is dropped") func droppedAfterTheLimit() throws {
        let receiver = try ScriptedStrings(.uint16, lengthMax: 10)
        #expect(try receiver.hear("\0\u{1}a\0\u{B}\(Self.x11)\0\u{1}z", "\0\u{1}y") == ["str(a)", "LOSE"])
        #expect(receiver.unreadBytes == [])
    }

    @Test("I04c: a handler of its own is called once, even if it does not close") func handlerThatDoesNotClose() throws {
        let script = Script(onFrame: { _, _ in }, onRejected: { _, _ in })
        let receiver = try ScriptedStrings(.uint16, script, lengthMax: 10)
        #expect(try receiver.hear("\0\u{B}", "x", "y", "\0\u{1}z") == ["rejected"])
        #expect(receiver.wire.state == .connected)
    }

    @Test("I05b: the last byte of the length is the one") func lastByteOfTheLength() throws {
        let receiver = try ScriptedStrings(.uint32)
        #expect(try receiver.hear("\u{10}\0\0") == [])
        #expect(try receiver.hear("\0") == ["LOSE"])
    }

    @Test("I08: sendString makes one write, whatever the limit") func sendStringWritesOnce() throws {
        let receiver = try ScriptedStrings(.uint16, lengthMax: 3)
        try receiver.sendString("hello")
        try receiver.sendString("")
        try receiver.sendString(bytes("0123456789"))
        #expect(receiver.heard == ["write(\0\u{5}hello)", "write(\0\0)", "write(\0\u{A}0123456789)"])
    }

    @Test("I09: a pause holds back the batch, and a part of a string, until it is resumed") func paused() throws {
        let pausing = { try ScriptedStrings(.uint8) { receiver, string in if string == "p" { receiver.pauseProducing() } } }
        let receiver = try pausing()
        #expect(try receiver.hear("\u{1}a\u{1}p\u{1}b\u{1}", "c") == ["str(a)", "str(p)", "pause"])
        try receiver.resumeProducing()
        let expected = ["str(a)", "str(p)", "pause", "resume", "str(b)", "str(c)"]
        #expect(receiver.heard == expected)
        try expectAtEveryChunking("\u{1}a\u{1}p\u{1}b\u{1}c", expected, from: pausing) { try $0.resumeProducing() }
    }

    @Test("I09b: pausing and resuming in one callback delivers nothing twice") func pauseAndResume() throws {
        try expectAtEveryChunking("\u{1}a\u{1}p\u{1}b", ["str(a)", "str(p)", "pause", "resume", "str(b)"]) {
            try ScriptedStrings(.uint8) { receiver, string in
                guard string == "p" else { return }
                receiver.pauseProducing()
                try receiver.resumeProducing()
            }
        }
    }

    @Test("I10: nothing is delivered after loseConnection") func nothingAfterLosing() throws {
        try expectAtEveryChunking("\u{1}a\u{1}b\u{1}c\u{1}d", ["str(a)", "LOSE"]) {
            try ScriptedStrings(.uint8) { receiver, _ in receiver.transport.loseConnection() }
        }
    }

    @Test("I11: a throwing callback ends the delivery for good") func throwingCallback() throws {
        struct Broken: Error {}
        let receiver = try ScriptedStrings(.uint8) { _, string in if string == "b" { throw Broken() } }
        #expect(throws: Broken.self) { try receiver.feed("\u{1}a\u{1}b\u{1}c") }
        #expect(try receiver.hear("\u{1}d") == ["str(a)", "str(b)"])
    }

    @Test("I12: data received inside a callback goes to the end, once") func reentrantData() throws {
        let receiver = try ScriptedStrings(.uint8) { receiver, string in if string == "a" { try receiver.feed("\u{1}n") } }
        #expect(try receiver.hear("\u{1}a\u{1}b") == ["str(a)", "str(b)", "str(n)"])
    }

    @Test("I14: a callback may take the unread bytes, and put others in their place") func unreadBytesTaken() throws {
        var taken: [UInt8] = []
        let receiver = try ScriptedStrings(.uint16) { receiver, string in
            guard string == "A" else { return }
            taken = receiver.takeUnreadBytes()
            try receiver.feed("\0\u{1}C")
        }
        #expect(try receiver.hear("\0\u{1}A\0\u{1}B") == ["str(A)", "str(C)"])
        #expect(taken == bytes("\0\u{1}B"))
    }

    @Test("I16: after stopProducing nothing is delivered and nothing is kept") func stopped() throws {
        try expectAtEveryChunking("\u{1}a\u{1}b", ["str(a)", "LOSE"]) {
            try ScriptedStrings(.uint8) { receiver, _ in receiver.stopProducing() }
        } atTheEnd: {
            #expect($0.unreadBytes == [])
        }
    }

    @Test("the four sizes have the limits that their documentation gives") func sizes() throws {
        #expect(Int8StringReceiver().lengthMax == 255)
        #expect(Int16StringReceiver().lengthMax == 65_535)
        #expect(Int32StringReceiver().lengthMax == 99_999)
        #expect(Int64StringReceiver().lengthMax == 99_999)
        #expect(Int8StringReceiver(lengthMax: 3).lengthMax == 3)
    }

    @Test("a string that the prefix can't express is refused, and nothing is sent", arguments: [LengthPrefix.uint8, .uint16])
    func tooLongToSend(_ prefix: LengthPrefix) throws {
        let receiver = try ScriptedStrings(prefix, lengthMax: 3)
        try receiver.sendString([UInt8](repeating: 65, count: prefix.lengthMax))
        let error = #expect(throws: StringTooLong.self) { try receiver.sendString([UInt8](repeating: 65, count: prefix.lengthMax + 1)) }
        #expect(error?.count == prefix.lengthMax + 1)
        #expect(error?.prefix == prefix)
        #expect(try #require(error).description.contains("at most \(prefix.lengthMax)"))
        #expect(throws: StringTooLong.self) { try receiver.sendString(String(repeating: "A", count: prefix.lengthMax + 1)) }
        #expect(receiver.wire.events.count == 1, "neither of the two")
        try receiver.sendString("go on")
        #expect(receiver.wire.events.count == 2)
    }
}
