import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Section 1 of the catalogue of cases: what becomes of lines. Modes and pauses are in `LineReceiverModeTests`, lines that are too long in
/// `OverlongLineTests`.
@Suite("LineReceiver", .nothingLivesOn)
struct LineReceiverTests {
    private static let x8 = String(repeating: "x", count: 8)
    private static let x9 = String(repeating: "x", count: 9)

    @Test(
        "rows that hold at every chunking",
        arguments: [
            Row("L01: lines are delivered without their delimiter", "ab\r\ncd\r\n", ["line(ab)", "line(cd)"]),
            Row("L03: a delimiter split between reads ends the line", "ab\r\ncd\r\n", ["line(ab)", "line(cd)"]),
            Row("L06: a lone CR belongs to the line", "\r\r\n", ["line(\r)"]),
            Row("L06: so does any part of a delimiter", "a\nb\r\r\r\n", ["line(a\nb\r\r)"]),
            Row("L07: a line of exactly the maximum length is delivered", "\(x8)\r\n", ["line(\(x8))"]),
            Row("L07: and so is the next one", "\(x8)\r\n\(x8)\r\n\r\n", ["line(\(x8))", "line(\(x8))", "line()"]),
            Row("L09: a line of the maximum length waits for its end", x8, []),
            Row("L10: one byte more may still be the delimiter's first", x9, []),
            Row("no bytes are no line", "", []),
            Row("a NUL and bytes above 127 are bytes like others", "\0\u{FF}\u{80}\r\n", ["line(\0\u{FF}\u{80})"]),
        ])
    func atEveryChunking(_ row: Row) throws {
        try expectAtEveryChunking(row.input, row.expected) { try ScriptedLines() }
    }

    @Test("L03: nothing is delivered before the delimiter's last byte") func splitDelimiter() throws {
        let receiver = try ScriptedLines()
        #expect(try receiver.hear("ab\r") == [])
        #expect(try receiver.hear("\ncd\r\n") == ["line(ab)", "line(cd)"])
    }

    @Test("L26, L26b: nothing is delivered after loseConnection, and nothing is kept") func nothingAfterLosing() throws {
        try expectAtEveryChunking("a\r\nq\r\nb\r\nc\r\nd\r\ne\r\n", ["line(a)", "line(q)", "LOSE"]) {
            try ScriptedLines { receiver, line in if line == "q" { receiver.transport.loseConnection() } }
        } atTheEnd: {
            #expect($0.unreadBytes == [])
        }
    }

    @Test("L26b: nor is anything in later reads") func nothingLaterAfterLosing() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "q" { receiver.transport.loseConnection() } }
        #expect(try receiver.hear("a\r\nq\r\nb\r\nc\r\n", "d\r\n", "e\r\n") == ["line(a)", "line(q)", "LOSE"])
    }

    @Test("L27: a receiver works without a transport") func withoutTransport() throws {
        final class Bare: LineReceiver {
            var lines: [String] = []
            override func lineReceived(_ line: Span<UInt8>) {
                lines.append(text(line))
                sendLine(line)
                sendLine(String(repeating: "long", count: 100))
            }
        }
        for chunks in everySplit(of: "a\r\nb\r\nc") {
            let receiver = Bare()
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.lines == ["a", "b"])
            #expect(receiver.unreadBytes == bytes("c"))
        }
    }

    @Test("L29: data received inside a callback goes to the end") func reentrantData() throws {
        let receiver = try ScriptedLines { receiver, line in if line == "a" { try receiver.feed("N\r\n") } }
        #expect(try receiver.hear("a\r\nb\r\nc") == ["line(a)", "line(b)", "line(cN)"])
    }

    @Test("L32: a new delimiter counts at once") func newDelimiter() throws {
        try expectAtEveryChunking("a\r\nd\r\nx;y;z\r\n", ["line(a)", "line(d)", "line(x)", "line(y)"]) {
            try ScriptedLines { receiver, line in if line == "d" { receiver.delimiter = ";" } }
        } atTheEnd: {
            #expect($0.unreadBytes == bytes("z\r\n"))
        }
    }

    @Test(
        "L32: whatever the delimiter becomes, and whatever it was",
        arguments: ["\r\n", ";", "--", "--boundary--"] as [LineDelimiter], ["\n", ";;", "<->", "0123456789"] as [LineDelimiter])
    func anyNewDelimiter(_ old: LineDelimiter, _ new: LineDelimiter) throws {
        let (first, second) = (text(old.bytes.span), text(new.bytes.span))
        try expectAtEveryChunking(
            "a\(first)d\(first)x\(second)y\(second)d\(second)z\(first)",
            ["line(a)", "line(d)", "line(x)", "line(y)", "line(d)", "line(z)"]
        ) {
            try ScriptedLines(delimiter: old) { receiver, line in
                if line == "d" { receiver.delimiter = receiver.delimiter == old ? new : old }
            }
        }
    }

    @Test("L32: a new delimiter is looked for in what was collected before") func newDelimiterInCollected() throws {
        let receiver = try ScriptedLines()
        try receiver.feed("x;y;z")
        receiver.delimiter = ";"
        #expect(try receiver.hear("w;") == ["line(x)", "line(y)", "line(zw)"])
    }

    @Test("L32: a new delimiter is what lines are sent with") func newDelimiterIsSent() throws {
        let receiver = try ScriptedLines()
        for delimiter: LineDelimiter in ["\n", "<-- 8 ->", "<-- nine>", .any] {
            receiver.delimiter = delimiter
            receiver.sendLine("a")
        }
        #expect(receiver.heard == ["write(a\n)", "write(a<-- 8 ->)", "write(a<-- nine>)", "write(a\r\n)"])
    }

    @Test("L34: clearing the buffer gives what was not delivered") func clearedBuffer() throws {
        var cleared: [UInt8] = []
        let receiver = try ScriptedLines { receiver, line in if line == "a" { cleared = receiver.clearLineBuffer() } }
        #expect(try receiver.hear("a\r\nb\r\nc", "d\r\n") == ["line(a)", "line(d)"])
        #expect(cleared == bytes("b\r\nc"))
    }

    @Test("L34: clearing gives the beginning of a line, too, and of its delimiter") func clearedBeginning() throws {
        let receiver = try ScriptedLines()
        try receiver.feed("ab\r")
        #expect(receiver.clearLineBuffer() == bytes("ab\r"))
        #expect(receiver.clearLineBuffer() == [])
        #expect(try receiver.hear("\ncd\r\n") == ["line(\ncd)"])
    }

    @Test("L35: sendLine makes one write, however long the line") func sendLineWritesOnce() throws {
        let receiver = try ScriptedLines()
        receiver.sendLine("hi")
        receiver.sendLine("")
        receiver.sendLine(bytes("longer than the limit"))
        receiver.sendLine("holds \r\n one")
        let expected = ["hi\r\n", "\r\n", "longer than the limit\r\n", "holds \r\n one\r\n"]
        #expect(receiver.heard == expected.map { "write(\($0))" })
    }

    @Test("L36: after stopProducing nothing is delivered and nothing is kept") func stopped() throws {
        try expectAtEveryChunking("a\r\ns\r\nb\r\nc\r\n", ["line(a)", "line(s)", "LOSE"]) {
            try ScriptedLines { receiver, line in if line == "s" { receiver.stopProducing() } }
        } atTheEnd: {
            #expect($0.unreadBytes == [])
            #expect(!$0.hasMore)
        }
    }

    @Test("L37: a partial line is not delivered, but can be read when the connection is lost") func partialLine() throws {
        try expectAtEveryChunking("partial", []) {
            try ScriptedLines()
        } atTheEnd: {
            $0.onLoss()
            #expect($0.script.unreadAtTheEnd == bytes("partial"))
        }
    }

    @Test(
        "L38: a longer delimiter may be split anywhere",
        arguments: [
            ("\r\n\r\n", "a\r\n\r\nb\r\n\r\n\r\n\r\n", ["line(a)", "line(b)", "line()"]),
            ("--boundary--", "a--boundary--b-bound--boundary--", ["line(a)", "line(b-bound)"]),
            ("aab", "xaaabaaab", ["line(xa)", "line(a)"]),
            ("aaa", "aaaaaaaxaaa", ["line()", "line()", "line(ax)"]),
            ("ab", "aab\nabab", ["line(a)", "line(\n)", "line()"]),
        ])
    func longDelimiter(_ delimiter: String, _ input: String, _ expected: [String]) throws {
        try expectAtEveryChunking(input, expected) { try ScriptedLines(delimiter: LineDelimiter(bytes(delimiter)), lengthMax: 20) }
    }

    @Test("L44: an empty delimiter is refused when it is made") func emptyDelimiter() throws {
        let error = #expect(throws: LineDelimiter.EmptyDelimiter.self) { try LineDelimiter([]) }
        #expect(try #require(error).description.contains("at least one byte"))
        #expect(try LineDelimiter([59]) == ";")
        #expect(try LineDelimiter(bytes("\r\n")) == .crlf)
        #expect(try LineDelimiter(bytes("\r\n")) != .any, "which takes a lone LF, too")
    }

    private final class Producing: LineReceiver {
        var lines: [String] = []
        override func lineReceived(_ line: Span<UInt8>) throws {
            lines.append(text(line))
            if lines.last == "produce" { try transport.registerProducer(self, streaming: false) }
            if lines.last == "unproduce" { transport.unregisterProducer() }
            if lines.last == "goodbye" { transport.loseConnection() }
        }
    }

    @Test("L47: a line may register its receiver as a pull producer") func pullProducer() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        for chunks in everySplit(of: "produce\nhello world\nunproduce\ngoodbye\n") {
            let receiver = Producing(delimiter: .lf)
            let transport = VirtualTransport(reactor)
            transport.connect(receiver)
            for chunk in chunks { transport.say(chunk) }
            #expect(receiver.lines == ["produce", "hello world", "unproduce", "goodbye"])
            #expect(transport.producer == nil)
        }
    }

    @Test("L47: a line may register its receiver as a pull producer, on a real connection as well")
    func pullProducerOnARealConnection() throws {
        for pieceSize in [1, 7, 100] {
            let receiver = Producing(delimiter: .lf)
            try withReactor { reactor in
                let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(receiver), interface: "127.0.0.1").number
                reactor.runClient {
                    let client = try RawSocket(connectedTo: port)
                    for chunk in chunks(of: "produce\nhello world\nunproduce\ngoodbye\n", size: pieceSize) { try client.send(chunk) }
                    try client.expectEnd()
                }
            }
            #expect(receiver.lines == ["produce", "hello world", "unproduce", "goodbye"])
        }
    }

    @Test("a throwing callback ends the delivery for good") func throwingCallback() throws {
        struct Broken: Error {}
        let receiver = try ScriptedLines { _, line in if line == "b" { throw Broken() } }
        #expect(throws: Broken.self) { try receiver.feed("a\r\nb\r\nc\r\n") }
        try receiver.feed("d\r\n")
        #expect(receiver.heard == ["line(a)", "line(b)"])
        #expect(receiver.unreadBytes == [])
    }

    @Test(
        "LF and CR LF end lines for a receiver that takes any",
        arguments: [
            Row("LF", "a\nb\n\n", ["line(a)", "line(b)", "line()"]),
            Row("CR LF", "a\r\nb\r\n\r\n", ["line(a)", "line(b)", "line()"]),
            Row("both, mixed", "a\nb\r\n\nc\r\n\r\nd\n", ["line(a)", "line(b)", "line()", "line(c)", "line()", "line(d)"]),
            Row("a lone CR belongs to the line", "a\rb\n\rc\r\n\r\r\n", ["line(a\rb)", "line(\rc)", "line(\r)"]),
            Row("a CR at the end waits", "a\r", []),
            Row("the limit does not count the CR", "12345678\r\n12345678\n", ["line(12345678)", "line(12345678)"]),
        ])
    func anyLineEnd(_ row: Row) throws {
        try expectAtEveryChunking(row.input, row.expected) { try ScriptedLines(delimiter: .any) }
    }
}
