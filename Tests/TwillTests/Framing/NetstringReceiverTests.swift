import Testing

@testable import Twill

/// A receiver whose callback is a closure and which writes down what it hears.
private final class ScriptedStrings: NetstringReceiver {
    var heard: [String] = []
    let onString: (ScriptedStrings, String) throws -> Void
    let wire = RecordingTransport()

    init(lengthMax: Int = 99_999, onString: @escaping (ScriptedStrings, String) throws -> Void = { _, _ in }) throws {
        self.onString = onString
        super.init(lengthMax: lengthMax)
        try makeConnection(wire)
        wire.onEvent = { [unowned self] in heard.append($0) }
    }

    override func stringReceived(_ string: Span<UInt8>) throws {
        heard.append("str(\(text(string)))")
        try onString(self, text(string))
    }
}

@Suite(.nothingLivesOn) struct NetstringReceiverTests {
    private static let digits22 = String(repeating: "9", count: 22)

    @Test(
        "rows that hold at every chunking",
        arguments: [
            ("N01", "0:,", ["str()"]),
            ("N02", "1:a,", ["str(a)"]),
            ("N03", "4:1:a,,", ["str(1:a,)"]),
            ("N05", "0:a,", ["LOSE"]),
            ("N06", ":aaa,", ["LOSE"]),
            ("N07", "3aaa,", ["LOSE"]),
            ("N09", "00:,", ["LOSE"]),
            ("N09b", "01:a,", ["LOSE"]),
            ("N09c", "007:abcdefg,", ["LOSE"]),
            ("N11", "10:0123456789,", ["str(0123456789)"]),
            ("N15", "1:a,2:bc,0:,", ["str(a)", "str(bc)", "str()"]),
            ("N17", "1:a,\n1:b,", ["str(a)", "LOSE"]),
            ("N22", "12\n", ["LOSE"]),
            ("N26", "1:,,", ["str(,)"]),
            ("N27", "3:\u{0}\u{FF},,", ["str(\u{0}\u{FF},)"]),
            ("a sign", "-1:a,", ["LOSE"]),
            ("a plus", "+1:a,", ["LOSE"]),
            ("a space", " 1:a,", ["LOSE"]),
            ("a late space", "1 :a,", ["LOSE"]),
            ("no comma", "1:ab,", ["LOSE"]),
            ("a semicolon", "1:a;", ["LOSE"]),
        ])
    func atEveryChunking(_ row: String, _ input: String, _ expected: [String]) throws {
        for chunks in everyChunking(of: input) {
            let receiver = try ScriptedStrings()
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.heard == expected, "\(row) in \(chunks.count) chunks")
        }
    }

    @Test("N09b, N11b: a string is delivered when its comma comes") func waitsForTheComma() throws {
        let receiver = try ScriptedStrings()
        for chunk in ["2", ":", "a", "b"] { try receiver.feed(chunk) }
        #expect(receiver.heard == [])
        try receiver.feed(",")
        #expect(receiver.heard == ["str(ab)"])
    }

    @Test(
        "N12b, N12d, N13, N21, N21c: the limit is checked on the length alone, digit by digit",
        arguments: [
            (5, "6", ["LOSE"]), (5, "50", ["LOSE"]), (5, "5", []), (99_999, "99999", []), (99_999, "100000", ["LOSE"]),
            (99_999, digits22, ["LOSE"]), (Int.max, digits22, ["LOSE"]), (10, "10:0123456789,", ["str(0123456789)"]), (10, "11", ["LOSE"]),
            (1, "1:a,0:,", ["str(a)", "str()"]), (1, "2:", ["LOSE"]), (0, "0:,", ["str()"]), (0, "1", ["LOSE"]),
        ])
    func limit(_ lengthMax: Int, _ input: String, _ expected: [String]) throws {
        for chunks in everyChunking(of: input) {
            let receiver = try ScriptedStrings(lengthMax: lengthMax)
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.heard == expected)
            if expected == ["LOSE"] { #expect(receiver.wire.reason == .badInput) }
        }
    }

    @Test("N14, N14b: after the first wrong byte nothing is delivered and nothing is kept") func neverRecovers() throws {
        let receiver = try ScriptedStrings()
        for chunk in ["x", "1:a,"] { try receiver.feed(chunk) }
        #expect(receiver.heard == ["LOSE"])
        #expect(receiver.unreadBytes == [])
        #expect((receiver.wire.reason?.underlying as? Rejection)?.reason == .badNetstringLength)
        let other = try ScriptedStrings()
        for chunk in ["1:ab", "1:a,"] { try other.feed(chunk) }
        #expect(other.heard == ["LOSE"])
        #expect((other.wire.reason?.underlying as? Rejection)?.reason == .missingComma)
    }

    @Test("N16: nothing is delivered after loseConnection") func nothingAfterLosing() throws {
        let receiver = try ScriptedStrings { receiver, _ in receiver.transport.loseConnection() }
        for chunk in ["1:a,1:b,1:c,", "1:d,"] { try receiver.feed(chunk) }
        #expect(receiver.heard == ["str(a)", "LOSE"])
    }

    @Test("N18: sendString makes one write") func sendStringWritesOnce() throws {
        let receiver = try ScriptedStrings(lengthMax: 3)
        receiver.sendString("hello")
        receiver.sendString("")
        receiver.sendString(bytes("0123456789"))
        #expect(receiver.heard == ["write(5:hello,)", "write(0:,)", "write(10:0123456789,)"])
    }

    @Test("N19: a throwing callback ends the delivery for good") func throwingCallback() throws {
        struct Broken: Error {}
        let receiver = try ScriptedStrings { _, string in if string == "b" { throw Broken() } }
        #expect(throws: Broken.self) { try receiver.feed("1:a,1:b,1:c,") }
        try receiver.feed("1:d,")
        #expect(receiver.heard == ["str(a)", "str(b)"])
    }

    @Test("N20: data received inside a callback goes to the end") func reentrantData() throws {
        let receiver = try ScriptedStrings { receiver, string in if string == "a" { try receiver.feed(",1:n,") } }
        try receiver.feed("1:a,1:b,1:c")
        #expect(receiver.heard == ["str(a)", "str(b)", "str(c)", "str(n)"])
    }

    @Test("a pause holds back the batch until it is resumed") func pausedBatch() throws {
        let receiver = try ScriptedStrings { receiver, string in if string == "p" { receiver.pauseProducing() } }
        for chunk in ["1:a,1:p,1:b,1", ":c,"] { try receiver.feed(chunk) }
        #expect(receiver.heard == ["str(a)", "str(p)", "pause"])
        try receiver.resumeProducing()
        #expect(receiver.heard == ["str(a)", "str(p)", "pause", "resume", "str(b)", "str(c)"])
    }
}
