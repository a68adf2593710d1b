import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) struct UnfinishedByteCountTests {
    @Test func aLineIsUnfinishedUntilItsDelimiterIsThere() throws {
        let lines = LineReceiver()
        for (chunk, count) in [("ab", 2), ("c\r", 4), ("\n", 0), ("one\r\ntwo\r\n", 0), ("one\r\ntw", 2), ("o\r\n", 0)] {
            try lines.feed(chunk)
            #expect(lines.unfinishedByteCount == count)
        }
    }

    @Test func whatAPauseHoldsBackIsNotWaitedFor() throws {
        final class Pausing: LineReceiver {
            override func lineReceived(_ line: Span<UInt8>) { pauseProducing() }
        }
        let lines = Pausing()
        try lines.feed("one\r\nhalf")
        #expect(lines.unfinishedByteCount == 0)
        try lines.resumeProducing()
        #expect(lines.unfinishedByteCount == 4)
    }

    @Test func rawBytesAreNoMessage() throws {
        final class Raw: LineReceiver {
            override func lineReceived(_ line: Span<UInt8>) { setRawMode() }
        }
        let lines = Raw()
        try lines.feed("half")
        try lines.feed(" of a line\r\nraw")
        try lines.feed("raw")
        #expect(lines.unfinishedByteCount == 0)
    }

    @Test func whoChangesToRawBytesInTheMiddleOfALineDoesNotWaitForItsEnd() throws {
        let lines = LineReceiver()
        try lines.feed("half")
        lines.setRawMode()
        #expect(lines.unfinishedByteCount == 0)
    }

    @Test func aNetstringIsUnfinishedFromItsFirstDigitToItsComma() throws {
        let strings = NetstringReceiver()
        for (chunk, count) in [
            ("1", 1), ("2", 2), (":", 3), ("0123456789", 13), ("ab", 15), (",", 0), ("1:a,3:a", 3), ("bc,", 0), ("0:", 2),
        ] {
            try strings.feed(chunk)
            #expect(strings.unfinishedByteCount == count)
        }
    }

    @Test func aPlainProtocolCannotTell() throws {
        let recorder = Recorder()
        try recorder.feed("half")
        #expect(recorder.unfinishedByteCount == 0)
    }
}
