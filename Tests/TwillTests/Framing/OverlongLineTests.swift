import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Section 1 of the catalogue of cases: lines that are longer than the limit of 8 bytes, rejected or skipped.
@Suite("LineReceiver, lines that are too long", .nothingLivesOn)
struct OverlongLineTests {
    private let x8 = String(repeating: "x", count: 8)
    private let x9 = String(repeating: "x", count: 9)
    private let z12 = String(repeating: "z", count: 12)

    /// A receiver that does what one does by default.
    private func standard(delimiter: LineDelimiter = .crlf, overlong: OverlongLines = .reject) throws -> ScriptedLines {
        let receiver = try ScriptedLines(delimiter: delimiter, overlong: overlong)
        receiver.onTooLong = nil
        return receiver
    }

    @Test("L08: an over-long line is told once, with everything behind it") func overlongLine() throws {
        #expect(try ScriptedLines().hear("\(x9)\r\nok\r\n") == ["exceeded(\(x9)\r\nok\r\n)"])
    }

    @Test("L08: by default an over-long line closes the connection with the rule in its reason") func overlongLineCloses() throws {
        try expectAtEveryChunking("a\r\n\(x9)\r\nok\r\nb\r\n", ["line(a)", "LOSE"]) {
            try standard()
        } atTheEnd: {
            #expect($0.wire.reason == .badInput)
            #expect($0.rejection == Rejection(.lineTooLong(lengthMax: 8), offset: 3 + 8))
        }
    }

    @Test("L09, L10: a line that may still end in time is waited for, and ends") func unfinishedLineWaits() throws {
        for start in [x8, "\(x8)\r"] {
            try expectAtEveryChunking(start, [], from: { try standard() }) { #expect($0.unreadBytes == bytes(start)) }
        }
        #expect(try ScriptedLines().hear(x8, "\r\n") == ["line(\(x8))"])
        #expect(try ScriptedLines().hear("\(x8)\r", "\n") == ["line(\(x8))"])
        // Only counted: that the ninth byte is no CR is seen when the tenth comes.
        #expect(try ScriptedLines().hear(x9) == [])
        #expect(try ScriptedLines().hear(x9, "x") == ["exceeded(\(x9)x)"])
    }

    @Test("L12b: a line one byte too long is found when its delimiter comes") func foundAtTheDelimiter() throws {
        #expect(try ScriptedLines().hear(x9, "\r\n") == ["exceeded(\(x9)\r\n)"])
    }

    @Test("L14b: after closing for an over-long line nothing is delivered") func nothingAfterOverlongLine() throws {
        let receiver = try ScriptedLines()
        receiver.onTooLong = { receiver, _ in receiver.transport.loseConnection() }
        #expect(try receiver.hear("\(x9)\r\nok\r\n", "later\r\nb\r\n", "c\r\n") == ["exceeded(\(x9)\r\nok\r\n)", "LOSE"])
    }

    @Test("L15: two over-long lines in one read are told once") func twoOverlongLines() throws {
        let long = String(repeating: "y", count: 14) + "\r\n"
        #expect(try ScriptedLines().hear(long + long) == ["exceeded(\(long)\(long))"])
    }

    @Test("L16: what an override hands back is parsed in the same call") func resynchronised() throws {
        let receiver = try ScriptedLines(delimiter: "\n")
        receiver.onTooLong = { receiver, line in
            let rest = line.drop { $0 != "\n" }.dropFirst()
            try receiver.setLineMode(String(rest))
        }
        let long = "\(z12)\nok\nok2\n"
        #expect(try receiver.hear(long) == ["exceeded(\(long))", "line(ok)", "line(ok2)"])
        // One that was collected in part is handed back as well.
        #expect(try receiver.hear("\(x8)", "xx\nok3\nok").suffix(2) == ["exceeded(\(x8)xx\nok3\nok)", "line(ok3)"])
        #expect(try receiver.hear("4\n").last == "line(ok4)")
    }

    @Test("L16b: by default the tail of an over-long line is not taken for a line: the connection closes") func tailIsNoLine() throws {
        #expect(try standard(delimiter: "\n").hear(z12, "tail\nok\n") == ["LOSE"])
        try expectAtEveryChunking("\(z12)tail\nok\n", ["LOSE"]) { try standard(delimiter: "\n") }
    }

    @Test("L16b: where such lines are discarded, one is told once, and the next one is whole") func tailIsSkipped() throws {
        let receiver = try ScriptedLines(delimiter: "\n", overlong: .discard)
        #expect(try receiver.hear(z12, "tail\nok\n") == ["exceeded(\(z12))", "line(ok)"])
        #expect(receiver.wire.state == .connected)
        try expectAtEveryChunking("a\n\(z12)tail\nok\n\(z12)\n\nb\n", ["line(a)", "line(ok)", "line()", "line(b)"]) {
            try standard(delimiter: "\n", overlong: .discard)
        } atTheEnd: {
            #expect($0.wire.state == .connected)
        }
    }

    @Test("L33: a new limit counts at once") func newLimit() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "m" { receiver.lengthMax = 2 } }
        #expect(try receiver.hear("m\r\nab\r\nabc\r\nd\r\n") == ["line(m)", "line(ab)", "exceeded(abc\r\nd\r\n)"])
        try expectAtEveryChunking("m\r\nab\r\nabc\r\nd\r\n", ["line(m)", "line(ab)", "LOSE"]) {
            let receiver = try ScriptedLines { receiver, line in if line == "m" { receiver.lengthMax = 2 } }
            receiver.onTooLong = nil
            return receiver
        } atTheEnd: {
            #expect($0.rejection == Rejection(.lineTooLong(lengthMax: 2), offset: 9))
        }
    }

    @Test("L33: so does a greater one, for the line that is coming") func greaterLimit() throws {
        let receiver = try standard()
        try receiver.feed(x8)
        receiver.lengthMax = 20
        #expect(try receiver.hear("\(x8)\r\n") == ["line(\(x8)\(x8))"])
    }

    @Test("L33: a limit below what has arrived of a line is passed with the next bytes") func limitBelowTheCollected() throws {
        for (overlong, expected) in [(OverlongLines.reject, ["LOSE"]), (.discard, ["line(ok)"])] {
            let receiver = try standard(overlong: overlong)
            try receiver.feed(x8)
            receiver.lengthMax = 2
            #expect(receiver.heard == [])
            #expect(try receiver.hear("\r\nok\r\n") == expected)
        }
    }

    @Test("L40: an endless line is told in pieces of bounded size") func endlessLine() throws {
        let receiver = try ScriptedLines()
        for _ in 0..<12 { try receiver.feed("x") }
        #expect(receiver.heard == ["exceeded(\(String(repeating: "x", count: 10)))"])
        #expect(receiver.unreadBytes.count == 2)
    }

    @Test("L40: and where such lines are discarded, once, keeping no more than a delimiter's beginning") func endlessDiscardedLine() throws
    {
        let receiver = try ScriptedLines(overlong: .discard)
        for _ in 0..<1000 {
            try receiver.feed("x")
            #expect(receiver.unreadBytes.count < 10)
        }
        #expect(receiver.heard == ["exceeded(\(String(repeating: "x", count: 10)))"])
        #expect(receiver.unfinishedByteCount > 0, "the peer is still waited for")
        #expect(try receiver.hear("\r\nok\r\n").last == "line(ok)")
        #expect(receiver.unfinishedByteCount == 0)
    }

    @Test("L45: input beyond the limit is looked at when the pause ends") func pausedBeyondLimit() throws {
        let x = String(repeating: "x", count: 50)
        let y = String(repeating: "y", count: 50)
        try expectAtEveryChunking("a\r\n\(x)\(y)", ["pause", "resume", "line(a)", "exceeded(\(x)\(y))"]) {
            let receiver = try ScriptedLines()
            receiver.pauseProducing()
            return receiver
        } atTheEnd: {
            #expect($0.heard == ["pause"])
            try $0.resumeProducing()
        }
    }

    @Test(
        "a discarded line is told with its own bytes only, whether its end is there or not",
        arguments: ["\n", "\r\n", "----", "<boundary>", .any] as [LineDelimiter])
    func ownBytesOnly(_ delimiter: LineDelimiter) throws {
        let end = text(delimiter.bytes.span)
        for length in 9...20 {
            let line = String(repeating: "x", count: length)
            for cut in 0...line.utf8.count + end.utf8.count {
                let input = bytes("ok\(end)\(line)\(end)more\(end)")
                let first = text(Array(input[..<(2 + end.utf8.count + cut)]).span)
                let second = text(Array(input[(2 + end.utf8.count + cut)...]).span)
                let receiver = try ScriptedLines(delimiter: delimiter, overlong: .discard)
                let heard = try receiver.hear(first, second)
                try #require(heard.count == 3, "\(length) bytes cut at \(cut): \(heard)")
                #expect(heard[0] == "line(ok)")
                #expect(heard[2] == "line(more)")
                // What is told early may end with the beginning of a delimiter; what follows a whole one never is.
                let told = heard[1].dropFirst("exceeded(".count).dropLast()
                #expect(told.count <= cut || told == line, "\(length) bytes cut at \(cut): \(told)")
                if cut < 9 || cut == line.utf8.count + end.utf8.count { #expect(told == line, "cut at \(cut)") }
                #expect(told.utf8.starts(with: x9.utf8))
            }
        }
    }

    @Test("a discarded line whose delimiter is cut is told without it where its end is known") func cutDelimiter() throws {
        let receiver = try ScriptedLines(delimiter: "----", overlong: .discard)
        #expect(try receiver.hear("\(x9)-", "---ok----") == ["exceeded(\(x9))", "line(ok)"])
    }

    @Test("an override that throws for a discarded line closes the connection") func throwingOverride() throws {
        struct Broken: Error {}
        let receiver = try ScriptedLines(overlong: .discard)
        receiver.onTooLong = { _, _ in throw Broken() }
        #expect(throws: Broken.self) { try receiver.feed("\(z12)\r\na\r\n") }
        try receiver.feed("b\r\n")
        #expect(receiver.heard == ["exceeded(\(z12))"])
    }

    @Test("the policy may change in the middle of a line that is too long") func policyChanges() throws {
        let receiver = try standard(overlong: .discard)
        try receiver.feed(z12)
        receiver.overlong = .reject
        #expect(try receiver.hear("\(z12)\r\nok\r\n") == ["line(ok)"])
        #expect(try receiver.hear("\(z12)\r\nok\r\n") == ["line(ok)", "LOSE"])
        #expect(receiver.rejection?.offset == 12 + 12 + 2 + 4 + 8)
    }

    @Test("a new delimiter in the middle of a line that is skipped ends it") func newDelimiterWhileSkipping() throws {
        let receiver = try standard(overlong: .discard)
        try receiver.feed("\(z12)\r")
        receiver.delimiter = ";"
        #expect(try receiver.hear("\nz;ok;") == ["line(ok)"])
    }

    @Test("a limit of none at all takes any line") func noLimit() throws {
        for delimiter: LineDelimiter in ["\n", "\r\n", "----", .any] {
            let end = text(delimiter.bytes.span)
            try expectAtEveryChunking("\(z12)\(end)", ["line(\(z12))"]) { try ScriptedLines(delimiter: delimiter, lengthMax: .max) }
        }
    }

    @Test("a limit of 0 takes empty lines") func limitOfZero() throws {
        try expectAtEveryChunking("\r\n\r\nx\r\n", ["line()", "line()", "LOSE"]) {
            let receiver = try ScriptedLines(lengthMax: 0)
            receiver.onTooLong = nil
            return receiver
        }
    }
}
