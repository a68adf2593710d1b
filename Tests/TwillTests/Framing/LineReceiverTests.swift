import Testing

@testable import Twill

/// A receiver whose callbacks are closures and which writes down what it hears.
final class ScriptedLines: LineReceiver {
    var heard: [String] = []
    var onLine: (ScriptedLines, String) throws -> Void = { _, _ in }
    var onRaw: (ScriptedLines, String) throws -> Void = { _, _ in }
    var onTooLong: ((ScriptedLines, String) throws -> Void)?
    let wire = RecordingTransport()

    init(
        delimiter: LineDelimiter = .crlf, lengthMax: Int = 8, overlong: OverlongLines = .reject,
        onLine: @escaping (ScriptedLines, String) throws -> Void = { _, _ in }
    ) throws {
        self.onLine = onLine
        super.init(delimiter: delimiter, lengthMax: lengthMax, overlong: overlong)
        onTooLong = { _, _ in }
        try makeConnection(wire)
        wire.onEvent = { [unowned self] in heard.append($0) }
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        heard.append("line(\(text(line)))")
        try onLine(self, text(line))
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        heard.append("raw(\(text(data)))")
        try onRaw(self, text(data))
    }

    override func lineLengthExceeded(_ line: Span<UInt8>) throws {
        guard let onTooLong else { return try super.lineLengthExceeded(line) }
        heard.append("exceeded(\(text(line)))")
        try onTooLong(self, text(line))
    }

    func setLineMode(_ extra: String) throws {
        let extra = bytes(extra)
        try setLineMode(extra.span)
    }
}

@Suite(.nothingLivesOn) struct LineReceiverTests {
    private let x8 = String(repeating: "x", count: 8)
    private let x9 = String(repeating: "x", count: 9)

    /// What a receiver hears of the chunks.
    private func hear(_ chunks: String..., by receiver: ScriptedLines) throws -> [String] {
        for chunk in chunks { try receiver.feed(chunk) }
        return receiver.heard
    }

    private func expectAtEveryChunking(
        _ input: String, _ expected: [String], from make: () throws -> ScriptedLines, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for chunks in everyChunking(of: input) {
            let receiver = try make()
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.heard == expected, "in \(chunks.count) chunks", sourceLocation: sourceLocation)
        }
    }

    @Test("L01: lines are delivered without their delimiter") func linesAreDelivered() throws {
        try expectAtEveryChunking("ab\r\ncd\r\n", ["line(ab)", "line(cd)"]) { try ScriptedLines() }
    }

    @Test("L03: a delimiter split between reads ends the line") func splitDelimiter() throws {
        let receiver = try ScriptedLines()
        #expect(try hear("ab\r", by: receiver) == [])
        #expect(try hear("\ncd\r\n", by: receiver) == ["line(ab)", "line(cd)"])
    }

    @Test("L06: a lone CR belongs to the line") func loneCarriageReturn() throws {
        try expectAtEveryChunking("\r\r\n", ["line(\r)"]) { try ScriptedLines() }
        try expectAtEveryChunking("a\nb\r\r\r\n", ["line(a\nb\r\r)"]) { try ScriptedLines() }
    }

    @Test("L07: a line of exactly the maximum length is delivered") func exactlyMaximumLength() throws {
        try expectAtEveryChunking("\(x8)\r\n", ["line(\(x8))"]) { try ScriptedLines() }
    }

    @Test("L08: an over-long line is told once, with everything behind it") func overlongLine() throws {
        #expect(try hear("\(x9)\r\nok\r\n", by: ScriptedLines()) == ["exceeded(\(x9)\r\nok\r\n)"])
    }

    @Test("L09, L10: a line that may still end in time is waited for") func unfinishedLineWaits() throws {
        #expect(try hear(x8, by: ScriptedLines()) == [])
        #expect(try hear(x9, by: ScriptedLines()) == [])
    }

    @Test("L12b: a line one byte too long is found when its delimiter comes") func foundAtTheDelimiter() throws {
        #expect(try hear(x9, "\r\n", by: ScriptedLines()) == ["exceeded(\(x9)\r\n)"])
    }

    @Test("L08: by default an over-long line closes the connection with the rule in its reason") func overlongLineCloses() throws {
        let receiver = try ScriptedLines()
        receiver.onTooLong = nil
        #expect(try hear("a\r\n\(x9)\r\nok\r\n", "b\r\n", by: receiver) == ["line(a)", "LOSE"])
        #expect(receiver.wire.reason == .badInput)
        #expect(receiver.wire.reason?.underlying as? Rejection == Rejection(.lineTooLong(lengthMax: 8), offset: 3 + 8))
    }

    @Test("L14b: after closing for an over-long line nothing is delivered") func nothingAfterOverlongLine() throws {
        let receiver = try ScriptedLines()
        receiver.onTooLong = { receiver, _ in receiver.transport.loseConnection() }
        #expect(try hear("\(x9)\r\nok\r\n", "later\r\nb\r\n", "c\r\n", by: receiver) == ["exceeded(\(x9)\r\nok\r\n)", "LOSE"])
    }

    @Test("L15: two over-long lines in one read are told once") func twoOverlongLines() throws {
        let long = String(repeating: "y", count: 14) + "\r\n"
        #expect(try hear(long + long, by: ScriptedLines()) == ["exceeded(\(long)\(long))"])
    }

    @Test("L16: what an override hands back is parsed in the same call") func resynchronised() throws {
        let receiver = try ScriptedLines(delimiter: "\n")
        receiver.onTooLong = { receiver, line in
            let rest = line.drop { $0 != "\n" }.dropFirst()
            try receiver.setLineMode(String(rest))
        }
        let long = String(repeating: "z", count: 12) + "\nok\nok2\n"
        #expect(try hear(long, by: receiver) == ["exceeded(\(long))", "line(ok)", "line(ok2)"])
    }

    @Test("L17, L18: raw data comes as it arrives, the rest of the line's read included") func rawMode() throws {
        let make = { try ScriptedLines { receiver, line in if line == "RAW" { receiver.setRawMode() } } }
        #expect(try hear("a\r\nRAW\r\nbin\r\nmore", by: make()) == ["line(a)", "line(RAW)", "raw(bin\r\nmore)"])
        #expect(try hear("RAW\r\n", "bin", "bin2", by: make()) == ["line(RAW)", "raw(bin)", "raw(bin2)"])
    }

    @Test("L19: raw and line mode alternate within and across reads") func alternatingModes() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "RAW" { receiver.setRawMode() } }
        var wanted = 5
        receiver.onRaw = { receiver, data in
            let taken = min(wanted, data.count)
            wanted -= taken
            guard wanted == 0 else { return }
            wanted = 5
            try receiver.setLineMode(String(data.dropFirst(taken)))
        }
        let expected = [
            "line(RAW)", "raw(123)", "raw(45hello\r\nRAW\r\n12345x\r\n)", "line(hello)", "line(RAW)", "raw(12345x\r\n)", "line(x)",
        ]
        #expect(try hear("RAW\r\n123", "45hello\r\nRAW\r\n12345x\r\n", by: receiver) == expected)
    }

    @Test("L21: an empty read makes no raw callback") func emptyRawRead() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.setRawMode() }
        #expect(try hear("a\r\n", "", "z", by: receiver) == ["line(a)", "raw(z)"])
    }

    @Test("L22: pausing holds back the batch, and resuming reads on before delivering it") func pausedBatch() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "p" { receiver.pauseProducing() } }
        #expect(try hear("a\r\np\r\nb\r\nc", "d\r\n", by: receiver) == ["line(a)", "line(p)", "pause"])
        try receiver.resumeProducing()
        #expect(receiver.heard == ["line(a)", "line(p)", "pause", "resume", "line(b)", "line(cd)"])
    }

    @Test("L23: a receiver that pauses on every line gets one for each resume") func onePerResume() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.pauseProducing() }
        try receiver.feed("hello\r\nworld\r\n")
        try receiver.resumeProducing()
        try receiver.resumeProducing()
        #expect(receiver.heard == ["line(hello)", "pause", "resume", "line(world)", "pause", "resume"])
    }

    @Test("L24: raw data is held back by a pause too") func pausedRawData() throws {
        let receiver = try ScriptedLines { receiver, _ in
            receiver.pauseProducing()
            receiver.setRawMode()
        }
        #expect(try hear("a\r\nbin", by: receiver) == ["line(a)", "pause"])
        try receiver.resumeProducing()
        #expect(receiver.heard == ["line(a)", "pause", "resume", "raw(bin)"])
    }

    @Test("L25: pausing and resuming in one callback keeps the order and does not recurse") func pauseAndResume() throws {
        var depth = 0
        let receiver = try ScriptedLines { receiver, line in
            depth += 1
            defer { depth -= 1 }
            #expect(depth == 1)
            guard line == "p" else { return }
            receiver.pauseProducing()
            try receiver.resumeProducing()
        }
        let expected = ["line(a)", "line(p)", "pause", "resume", "line(b)", "line(c)"]
        #expect(try hear("a\r\np\r\nb\r\nc\r\n", by: receiver) == expected)
    }

    @Test("L26, L26b: nothing is delivered after loseConnection") func nothingAfterLosing() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "q" { receiver.transport.loseConnection() } }
        #expect(try hear("a\r\nq\r\nb\r\nc\r\n", "d\r\n", "e\r\n", by: receiver) == ["line(a)", "line(q)", "LOSE"])
    }

    @Test("L27: a receiver works without a transport") func withoutTransport() throws {
        final class Bare: LineReceiver {
            var lines: [String] = []
            override func lineReceived(_ line: Span<UInt8>) {
                lines.append(text(line))
                sendLine(line)
            }
        }
        let receiver = Bare()
        try receiver.feed("a\r\nb\r\nc")
        #expect(receiver.lines == ["a", "b"])
        #expect(receiver.unreadBytes == bytes("c"))
    }

    @Test("L28: line mode after loseConnection delivers nothing") func lineModeAfterLosing() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.setRawMode() }
        receiver.onRaw = { receiver, data in
            receiver.transport.loseConnection()
            try receiver.setLineMode(data)
        }
        #expect(try hear("a\r\nb\r\nc\r\nd\r\n", by: receiver) == ["line(a)", "raw(b\r\nc\r\nd\r\n)", "LOSE"])
    }

    @Test("L29: data received inside a callback goes to the end") func reentrantData() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "a" { try receiver.feed("N\r\n") } }
        #expect(try hear("a\r\nb\r\nc", by: receiver) == ["line(a)", "line(b)", "line(cN)"])
    }

    @Test("L32: a new delimiter counts at once") func newDelimiter() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "d" { receiver.delimiter = ";" } }
        #expect(try hear("a\r\nd\r\nx;y;z\r\n", by: receiver) == ["line(a)", "line(d)", "line(x)", "line(y)"])
        #expect(receiver.unreadBytes == bytes("z\r\n"))
    }

    @Test("L32: a new delimiter is looked for in what was collected before") func newDelimiterInCollected() throws {
        let receiver = try ScriptedLines()
        try receiver.feed("x;y;z")
        receiver.delimiter = ";"
        #expect(try hear("w;", by: receiver) == ["line(x)", "line(y)", "line(zw)"])
    }

    @Test("L33: a new limit counts at once") func newLimit() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "m" { receiver.lengthMax = 2 } }
        #expect(try hear("m\r\nab\r\nabc\r\nd\r\n", by: receiver) == ["line(m)", "line(ab)", "exceeded(abc\r\nd\r\n)"])
    }

    @Test("L34: clearing the buffer gives what was not delivered") func clearedBuffer() throws {
        var cleared: [UInt8] = []
        let receiver = try ScriptedLines { receiver, line in if line == "a" { cleared = receiver.clearLineBuffer() } }
        #expect(try hear("a\r\nb\r\nc", "d\r\n", by: receiver) == ["line(a)", "line(d)"])
        #expect(cleared == bytes("b\r\nc"))
    }

    @Test("L35: sendLine makes one write, however long the line") func sendLineWritesOnce() throws {
        let receiver = try ScriptedLines()
        receiver.sendLine("hi")
        receiver.sendLine("")
        receiver.sendLine(bytes("longer than the limit"))
        #expect(receiver.heard == ["write(hi\r\n)", "write(\r\n)", "write(longer than the limit\r\n)"])
    }

    @Test("L36: after stopProducing nothing is delivered and nothing is kept") func stopped() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "s" { receiver.stopProducing() } }
        #expect(try hear("a\r\ns\r\nb\r\n", "c\r\n", by: receiver) == ["line(a)", "line(s)", "LOSE"])
        #expect(receiver.unreadBytes == [])
    }

    @Test("L37: a partial line is not delivered, but can be read when the connection is lost") func partialLine() throws {
        let receiver = try ScriptedLines()
        #expect(try hear("partial", by: receiver) == [])
        try receiver.connectionLost(.done)
        #expect(receiver.unreadBytes == bytes("partial"))
    }

    @Test("L38: a longer delimiter may be split anywhere") func longDelimiter() throws {
        try expectAtEveryChunking("a\r\n\r\nb\r\n\r\n\r\n\r\n", ["line(a)", "line(b)", "line()"]) {
            try ScriptedLines(delimiter: "\r\n\r\n")
        }
        try expectAtEveryChunking("a--boundary--b-bound--boundary--", ["line(a)", "line(b-bound)"]) {
            try ScriptedLines(delimiter: "--boundary--")
        }
        try expectAtEveryChunking("xaaabaaab", ["line(xa)", "line(a)"]) { try ScriptedLines(delimiter: "aab") }
    }

    @Test("L40: an endless line is told in pieces of bounded size") func endlessLine() throws {
        let receiver = try ScriptedLines()
        for _ in 0..<12 { try receiver.feed("x") }
        #expect(receiver.heard == ["exceeded(\(String(repeating: "x", count: 10)))"])
        #expect(receiver.unreadBytes.count == 2)
    }

    @Test("L42: extra bytes go in front of the unread input") func extraInFront() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "a" { try receiver.setLineMode("E\r\n") } }
        #expect(try hear("a\r\nb\r\n", by: receiver) == ["line(a)", "line(E)", "line(b)"])
    }

    @Test("L45: input beyond the limit is looked at when the pause ends") func pausedBeyondLimit() throws {
        let receiver = try ScriptedLines()
        receiver.pauseProducing()
        let x = String(repeating: "x", count: 50)
        let y = String(repeating: "y", count: 50)
        #expect(try hear("a\r\n\(x)", y, by: receiver) == ["pause"])
        try receiver.resumeProducing()
        #expect(receiver.heard == ["pause", "resume", "line(a)", "exceeded(\(x)\(y))"])
    }

    @Test("L46: alternating modes thousands of times in one read needs no stack") func manyAlternations() throws {
        final class Alternating: LineReceiver {
            var lines = 0
            override func lineReceived(_ line: Span<UInt8>) {
                lines += 1
                setRawMode()
            }
            override func rawDataReceived(_ data: Span<UInt8>) throws {
                try setLineMode(data.extracting(1...))
            }
        }
        let receiver = Alternating(delimiter: [10])
        try receiver.feed("x\n" + String(repeating: "rx\n", count: 100_000))
        #expect(receiver.lines == 100_001)
    }

    @Test("a throwing callback ends the delivery for good") func throwingCallback() throws {
        struct Broken: Error {}
        let receiver = try ScriptedLines { _, line in if line == "b" { throw Broken() } }
        #expect(throws: Broken.self) { try receiver.feed("a\r\nb\r\nc\r\n") }
        try receiver.feed("d\r\n")
        #expect(receiver.heard == ["line(a)", "line(b)"])
    }
}
