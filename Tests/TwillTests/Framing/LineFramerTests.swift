import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What only a framer of lines does: its delimiter may change, and lines that are too long may be skipped.
@Suite("LineFramer", .nothingLivesOn)
struct LineFramerTests {
    /// A line that was skipped: what came of it before, its part in the input, and where it passed the limit.
    private struct Skip: Equatable {
        let before: String
        let part: String
        let offset: Int
    }

    /// The lines and the skips in the chunks.
    private func split(_ chunks: [String], by framer: inout LineFramer) -> (lines: [String], skips: [Skip]) {
        var (lines, skips): ([String], [Skip]) = ([], [])
        for chunk in chunks {
            lend(chunk) { input in
                var position = 0
                while true {
                    switch framer.next(in: input, at: &position) {
                    case .frame(let range): lines.append(text(input.extracting(range)))
                    case .collectedFrame: lines.append(text(framer.takeCollected().span))
                    case .skipped(let rejection, let part):
                        let before = text(framer.takeCollected().span)
                        skips.append(Skip(before: before, part: text(input.extracting(part)), offset: rejection.offset))
                        #expect(rejection.reason == .lineTooLong(lengthMax: framer.lengthMax))
                    case .needsMore: return
                    case .rejected(let rejection): return lines.append("\(rejection)")
                    }
                }
            }
        }
        return (lines, skips)
    }

    static let delimiters: [LineDelimiter] = [.lf, .crlf, .any, ";", "--", "\r\n\r\n", "--boundary--"]

    @Test("a line of exactly the limit is a line, one byte more is not", arguments: delimiters, [0, 1, 2, 7])
    func limit(_ delimiter: LineDelimiter, _ lengthMax: Int) {
        let end = text(delimiter.bytes.span)
        for length in max(0, lengthMax - 1)...lengthMax + 20 {
            let line = String(repeating: "x", count: length)
            let expected = length <= lengthMax ? ["frame(\(line))", "frame()"] : ["rejected at \(lengthMax)"]
            for chunks in everySplit(of: "\(line)\(end)\(end)") {
                var framer = LineFramer(delimiter: delimiter, lengthMax: lengthMax)
                #expect(framer.events(in: chunks) == expected, "\(length) bytes in \(chunks.count) chunks")
            }
        }
    }

    @Test("what is collected is bounded by the limit and a delimiter", arguments: delimiters, [OverlongLines.reject, .discard])
    func bounded(_ delimiter: LineDelimiter, _ overlong: OverlongLines) {
        var framer = LineFramer(delimiter: delimiter, lengthMax: 7, overlong: overlong)
        for _ in 0..<100 {
            _ = framer.events(in: "x")
            #expect(framer.unfinishedByteCount < 7 + delimiter.bytes.count)
        }
    }

    @Test("skipped lines are told once each, and the lines between and behind them are whole", arguments: delimiters)
    func skipped(_ delimiter: LineDelimiter) {
        let end = text(delimiter.bytes.span)
        let lines = ["ok", "012345678", "", "x", "01234567890123456789012345678901234567890", "abcdefghi", "last"]
        for chunks in everySplit(of: lines.map { $0 + end }.joined()) {
            var framer = LineFramer(delimiter: delimiter, lengthMax: 7, overlong: .discard)
            let found = split(chunks, by: &framer)
            #expect(found.lines == ["ok", "", "x", "last"], "in \(chunks.count) chunks")
            #expect(found.skips.count == 3)
            for (skip, line) in zip(found.skips, [lines[1], lines[4], lines[5]]) {
                // What is told before the end has come may end with the beginning of a delimiter.
                #expect((line + end).utf8.starts(with: (skip.before + skip.part).utf8), "\(skip) in \(chunks.count) chunks")
                #expect((skip.before + skip.part).utf8.count > 7)
            }
        }
    }

    @Test("a skipped line whose end has come is told without the delimiter, wherever that is cut", arguments: delimiters)
    func skippedWithItsEnd(_ delimiter: LineDelimiter) {
        let end = text(delimiter.bytes.span)
        for cut in 0...end.utf8.count {
            var framer = LineFramer(delimiter: delimiter, lengthMax: 7 + end.utf8.count, overlong: .discard)
            let line = String(repeating: "x", count: 7 + cut)
            #expect(framer.events(in: line) == [])
            framer.lengthMax = 5
            let found = split([end + "ok" + end], by: &framer)
            #expect(found.skips == [Skip(before: line, part: "", offset: 5)])
            #expect(found.lines == ["ok"])
        }
    }

    @Test("a delimiter that began before the input in which a line is skipped is no part of the line")
    func skippedWithACutDelimiter() {
        var framer = LineFramer(delimiter: "----", lengthMax: 7, overlong: .discard)
        let found = split(["01234567-", "---ok----"], by: &framer)
        #expect(found.skips == [Skip(before: "01234567", part: "", offset: 7)])
        #expect(found.lines == ["ok"])
    }

    @Test("whoever does not take the beginning of a skipped line gets the next one whole all the same")
    func beginningNotTaken() throws {
        for chunks in everySplit(of: "a\r\n0123456789\r\nb\r\n01234567890123456789\r\nc\r\n") {
            var framer = LineFramer(lengthMax: 8, overlong: .discard)
            var lines: [String] = []
            for chunk in chunks {
                try lend(chunk) { input in try framer.forEachFrame(in: input) { lines.append(text($0)) } }
            }
            #expect(lines == ["a", "b", "c"], "in \(chunks.count) chunks")
        }
    }

    @Test("a line that is skipped has no bytes to hand to another framer, and is skipped to its end")
    func skippingIsNotHandedOver() {
        for untaken in [false, true] {
            var framer = LineFramer(lengthMax: 3, overlong: .discard)
            _ = untaken ? [] : framer.events(in: "ab")
            let input = bytes("cdefgh")
            var position = 0
            _ = framer.next(in: input.span, at: &position)
            #expect(framer.unfinishedBytes == [])
            #expect(framer.takeUnfinishedBytes() == [])
            #expect(framer.unfinishedByteCount > 0, "but its end is waited for")
            #expect(framer.events(in: "ij\r\nok\r\n") == ["frame(ok)"])
        }
    }

    @Test("while a line is skipped its delimiter may be split anywhere", arguments: delimiters)
    func splitDelimiterOfASkippedLine(_ delimiter: LineDelimiter) {
        let end = text(delimiter.bytes.span)
        // Parts of the delimiter, but not the whole, before the end.
        let parts =
            delimiter.bytes.count > 1 ? String(repeating: end.unicodeScalars.dropLast().map(String.init).joined() + "x", count: 3) : "xyz"
        for chunks in everySplit(of: "0123456789\(parts)\(end)ok\(end)") {
            var framer = LineFramer(delimiter: delimiter, lengthMax: 7, overlong: .discard)
            let found = split(chunks, by: &framer)
            #expect(found.lines == ["ok"], "in \(chunks.count) chunks")
            #expect(found.skips.count == 1)
        }
    }

    @Test("a new delimiter gives back what was collected, which may hold it")
    func newDelimiter() {
        for delimiter in Self.delimiters {
            var framer = LineFramer(delimiter: delimiter)
            _ = framer.events(in: chunks(of: "a,b,c", size: 2))
            let collected = framer.setDelimiter(",")
            #expect(framer.delimiter == ",")
            #expect(collected == bytes("a,b,c"))
            #expect(framer.events(in: [text(collected.span) + "d,"]) == ["frame(a)", "frame(b)", "frame(cd)"])
            var wire: [UInt8] = []
            framer.encode(bytes("e"), into: &wire)
            #expect(wire == bytes("e,"))
        }
    }

    @Test("limit and policy may change between two inputs")
    func changes() {
        var framer = LineFramer(lengthMax: 3)
        #expect(framer.events(in: "abc") == [])
        framer.lengthMax = 5
        #expect(framer.events(in: "de\r\n") == ["frame(abcde)"])
        framer.overlong = .discard
        #expect(framer.events(in: "abcdef\r\n") == ["skipped at \(7 + 5)"])
        framer.overlong = .reject
        #expect(framer.events(in: "abcdef\r\n") == ["rejected at \(7 + 8 + 5)"])
    }

    @Test("the default limit is 16384 bytes")
    func defaultLimit() {
        let line = String(repeating: "x", count: 16384)
        var framer = LineFramer()
        #expect(framer.events(in: "\(line)\r\n").count == 1)
        #expect(framer.events(in: "x\(line)\r\n") == ["rejected at \(2 * 16384 + 2)"])
    }
}
