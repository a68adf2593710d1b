import TestSupport
import Testing

@testable import Twill

/// Section 3 of the catalogue of cases.
@Suite("NetstringReceiver", .nothingLivesOn)
struct NetstringReceiverTests {
    private static let digits22 = String(repeating: "9", count: 22)

    @Test(
        "N11c: rows that hold at every chunking",
        arguments: [
            Row("N01: an empty string", "0:,", ["str()"]),
            Row("N02: a string", "1:a,", ["str(a)"]),
            Row("N03: a string in a string is opaque", "4:1:a,,", ["str(1:a,)"]),
            Row("N05: no comma behind no bytes", "0:a,", ["LOSE"]),
            Row("N06: no length", ":aaa,", ["LOSE"]),
            Row("N07: no colon", "3aaa,", ["LOSE"]),
            Row("N09: two zeros", "00:,", ["LOSE"]),
            Row("N09b: a leading zero", "01:a,", ["LOSE"]),
            Row("N09c: two leading zeros", "007:abcdefg,", ["LOSE"]),
            Row("N11: a length of two digits", "10:0123456789,", ["str(0123456789)"]),
            Row("N11b: two bytes", "2:ab,", ["str(ab)"]),
            Row("N12b: above the limit", "6:abcdef,", ["LOSE"], lengthMax: 5),
            Row("N12d: above the limit with the second digit", "50", ["LOSE"], lengthMax: 5),
            Row("N12d: below the limit so far", "5", [], lengthMax: 5),
            Row("N13: the default limit", "99999", []),
            Row("N13: one above it", "100000", ["LOSE"]),
            Row("N13: a length that is no machine's number", digits22, ["LOSE"]),
            Row("N13: nor is it where there is no limit", digits22, ["LOSE"], lengthMax: .max),
            Row("N13: the greatest number, where there is no limit", "\(Int.max):abc", [], lengthMax: .max),
            Row("N13: one above it", "9223372036854775808", ["LOSE"], lengthMax: .max),
            Row("N14: after the first wrong byte nothing", "x1:a,", ["LOSE"]),
            Row("N14b: nor after a wrong last one", "1:ab1:a,", ["LOSE"]),
            Row("N15: one after another", "1:a,2:bc,0:,", ["str(a)", "str(bc)", "str()"]),
            Row("N17: a line feed between two", "1:a,\n1:b,", ["str(a)", "LOSE"]),
            Row("N21: exactly the limit", "10:0123456789,", ["str(0123456789)"], lengthMax: 10),
            Row("N21: one above it", "11", ["LOSE"], lengthMax: 10),
            Row("N21: a limit of 1", "1:a,0:,2:", ["str(a)", "str()", "LOSE"], lengthMax: 1),
            Row("N21c: a limit of 0 takes empty strings only", "0:,0:,1", ["str()", "str()", "LOSE"], lengthMax: 0),
            Row("N22: a line feed for a colon", "12\n", ["LOSE"]),
            Row("N26: a comma in a string", "1:,,", ["str(,)"]),
            Row("N27: any byte in a string", "3:\u{0}\u{FF},,", ["str(\u{0}\u{FF},)"]),
            Row("a minus", "-1:a,", ["LOSE"]),
            Row("a plus", "+1:a,", ["LOSE"]),
            Row("a space", " 1:a,", ["LOSE"]),
            Row("a late space", "1 :a,", ["LOSE"]),
            Row("a hexadecimal digit", "A:0123456789,", ["LOSE"]),
            Row("no comma", "1:ab,", ["LOSE"]),
            Row("a semicolon", "1:a;", ["LOSE"]),
        ])
    func atEveryChunking(_ row: Row) throws {
        try expectAtEveryChunking(row.input, row.expected) {
            try ScriptedNetstrings(lengthMax: row.lengthMax)
        } atTheEnd: {
            #expect(($0.rejection != nil) == (row.expected.last == "LOSE"))
        }
    }

    @Test("N09b: one zero waits, the next digit is too many") func zeroWaits() throws {
        let receiver = try ScriptedNetstrings()
        #expect(try receiver.hear("0") == [])
        #expect(try receiver.hear("1") == ["LOSE"])
        #expect(try receiver.hear(":a,") == ["LOSE"])
        #expect(receiver.rejection == Rejection(.badNetstringLength, offset: 1))
    }

    @Test("N11, N11b: a string is delivered when its comma comes") func waitsForTheComma() throws {
        for chunks in [["2", ":", "a", "b"], ["1", "0:01234", "56789"]] {
            let receiver = try ScriptedNetstrings()
            #expect(try receiver.hear(chunks) == [])
            #expect(try receiver.hear(",").count == 1)
        }
    }

    @Test("N12d: the digit that passes the limit is the one") func digitByDigit() throws {
        let receiver = try ScriptedNetstrings(lengthMax: 5)
        #expect(try receiver.hear("5") == [])
        #expect(try receiver.hear("0") == ["LOSE"])
        #expect(receiver.rejection == Rejection(.stringTooLong(lengthMax: 5), offset: 1))
    }

    @Test("N14, N14b: after the first wrong byte nothing is delivered and nothing is kept") func neverRecovers() throws {
        let receiver = try ScriptedNetstrings()
        #expect(try receiver.hear("x", "1:a,") == ["LOSE"])
        #expect(receiver.unreadBytes == [])
        #expect(receiver.rejection == Rejection(.badNetstringLength, offset: 0))
        let other = try ScriptedNetstrings()
        #expect(try other.hear("1:ab", "1:a,") == ["LOSE"])
        #expect(other.unreadBytes == [])
        #expect(other.rejection == Rejection(.missingComma, offset: 3))
    }

    @Test("N16: nothing is delivered after loseConnection") func nothingAfterLosing() throws {
        try expectAtEveryChunking("1:a,1:b,1:c,1:d,", ["str(a)", "LOSE"]) {
            try ScriptedNetstrings { receiver, _ in receiver.transport.loseConnection() }
        }
    }

    @Test("N18: sendString makes one write, whatever the limit") func sendStringWritesOnce() throws {
        let receiver = try ScriptedNetstrings(lengthMax: 3)
        receiver.sendString("hello")
        receiver.sendString("")
        receiver.sendString(bytes("0123456789"))
        #expect(receiver.heard == ["write(5:hello,)", "write(0:,)", "write(10:0123456789,)"])
    }

    @Test("N19: a throwing callback ends the delivery for good") func throwingCallback() throws {
        struct Broken: Error {}
        let receiver = try ScriptedNetstrings { _, string in if string == "b" { throw Broken() } }
        #expect(throws: Broken.self) { try receiver.feed("1:a,1:b,1:c,") }
        try receiver.feed("1:d,")
        #expect(receiver.heard == ["str(a)", "str(b)"])
    }

    @Test("N20: data received inside a callback goes to the end") func reentrantData() throws {
        let receiver = try ScriptedNetstrings { receiver, string in if string == "a" { try receiver.feed(",1:n,") } }
        #expect(try receiver.hear("1:a,1:b,1:c") == ["str(a)", "str(b)", "str(c)", "str(n)"])
        // Where that is in the middle of a string, it is the peer who is told.
        let other = try ScriptedNetstrings { receiver, string in if string == "a" { try receiver.feed("1:n,") } }
        #expect(try other.hear("1:a,1:b,1:c", ",") == ["str(a)", "str(b)", "LOSE"])
        #expect(other.rejection == Rejection(.missingComma, offset: 11))
    }
}
