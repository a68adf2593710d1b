import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Corners of framing that random streams led to.
@Suite(.nothingLivesOn) struct FramerEdgeTests {
    private func frames(of framer: some Framer, in chunks: [String]) throws -> [String] {
        var framer = framer
        var frames: [String] = []
        for chunk in chunks {
            let input = bytes(chunk)
            try framer.forEachFrame(in: input.span) { frames.append(text($0)) }
        }
        return frames
    }

    @Test func theGreatestNumberIsALimitToo() throws {
        #expect(try frames(of: LineFramer(lengthMax: .max), in: ["a", "b\r\n"]) == ["ab"])
        var netstrings = NetstringFramer(lengthMax: .max)
        let input = bytes("\(Int.max):ab")
        try netstrings.forEachFrame(in: input.span) { _ in }
        #expect(netstrings.unfinishedBytes == input)
    }

    @Test func aSkippedLineLeavesNothingForTheNextOne() throws {
        let framer = LineFramer(lengthMax: 3, overlong: .discard)
        for chunks in everySplit(of: "abcde\r\nok\r\nabcd\r\n\r\n") {
            #expect(try frames(of: framer, in: chunks) == ["ok", ""], "\(chunks)")
        }
        final class Lines: FramedReceiver<LineFramer> {
            var unread: [[UInt8]] = []
            override func frameReceived(_ frame: Span<UInt8>) { unread.append(unreadBytes) }
        }
        let receiver = Lines(framer)
        for chunk in ["abcd", "\r\n", "ok\r\n", "abcdef"] { try receiver.feed(chunk) }
        #expect(receiver.unread == [[]])
        #expect(receiver.unreadBytes == [])
    }

    @Test func offsetsCountBytesThatAreHandedBackOutsideOfACallbackOnce() throws {
        let receiver = try ScriptedLines(lengthMax: 3)
        receiver.onTooLong = nil
        try receiver.feed("ab\r\ncd")
        // What was collected of a line is looked at again for the new delimiter.
        receiver.delimiter = ";"
        try receiver.feed("e;fghi")
        #expect(receiver.wire.reason?.underlying as? Rejection == Rejection(.lineTooLong(lengthMax: 3), offset: 8 + 3))
    }

    @Test func rawModeInTheMiddleOfALineTakesItsBeginning() throws {
        let receiver = try ScriptedLines()
        try receiver.feed("ab")
        receiver.setRawMode()
        #expect(receiver.unreadBytes == bytes("ab"))
        try receiver.feed("cd")
        try receiver.setLineMode()
        try receiver.feed("ef\r\n")
        #expect(receiver.heard == ["raw(abcd)", "line(ef)"])
    }

    @Test func rawDataThatIsHandedBackTwiceComesTwice() throws {
        final class Twice: LineReceiver {
            var lines: [String] = []
            override func lineReceived(_ line: Span<UInt8>) { lines.append(text(line)) }
            override func rawDataReceived(_ data: Span<UInt8>) throws {
                try setLineMode(data.extracting(last: 6))
                try setLineMode(data.extracting(last: 3))
            }
        }
        let receiver = Twice()
        receiver.setRawMode()
        try receiver.feed("xxa\r\nb\r\n")
        #expect(receiver.lines == ["b", "a", "b"])
    }
}
