import TestSupport
import Testing

@testable import Twill

/// What a frame costs that comes one byte at a time: twice as much for twice the bytes. Were anything looked at again with each byte, it would be
/// four times.
@Suite("Linear time", .serialized, .nothingLivesOn)
struct LinearTimeTests {
    private final class Lines: LineReceiver {
        var received = 0
        override func lineReceived(_ line: Span<UInt8>) { received += line.count }
    }

    private final class Netstrings: NetstringReceiver {
        var received = 0
        override func stringReceived(_ string: Span<UInt8>) { received += string.count }
    }

    private final class Strings: Int32StringReceiver {
        var received = 0
        override func stringReceived(_ string: Span<UInt8>) { received += string.count }
    }

    private final class Frames: FramedReceiver<FixedSizeFramer> {
        var received = 0
        override func frameReceived(_ frame: Span<UInt8>) { received += frame.count }
    }

    /// The processor time of so many bytes in pieces, between a prefix and a suffix.
    private func cost<Receiver: FrameReceiver>(
        of length: Int, inPiecesOf size: Int, _ prefix: String, _ suffix: String, for make: (Int) -> Receiver, received: (Receiver) -> Int
    ) throws -> Duration {
        let receiver = make(length)
        let piece = [UInt8](repeating: 0x2E, count: size)
        try receiver.feed(prefix)
        let start = threadProcessorTime()
        for _ in 0..<length / size { try receiver.dataReceived(piece.span) }
        let cost = threadProcessorTime() - start
        try receiver.feed(suffix)
        #expect(received(receiver) == length)
        return cost
    }

    /// Compares the costs of some bytes and of twice as many, the least of several runs, because other programs can only add to it. Pieces of
    /// one byte show what is done anew for each; larger ones, of a longer frame, what is done anew with all that has come.
    private func expectLinear<Receiver: FrameReceiver>(
        inPiecesOf size: Int = 64, kibibytes: Int = 512, prefix: (Int) -> String = { _ in "" }, suffix: String = "",
        sourceLocation: SourceLocation = #_sourceLocation, _ make: (Int) -> Receiver, received: (Receiver) -> Int
    ) throws {
        let short = kibibytes << 10
        var (once, twice) = (Duration.seconds(1000), Duration.seconds(1000))
        for round in 1...15 {
            once = min(once, try cost(of: short, inPiecesOf: size, prefix(short), suffix, for: make, received: received))
            twice = min(twice, try cost(of: short * 2, inPiecesOf: size, prefix(short * 2), suffix, for: make, received: received))
            if round >= 3, twice / once < 3 { return }
        }
        Issue.record("\(once) for \(short) bytes, \(twice) for twice as many", sourceLocation: sourceLocation)
    }

    @Test("a line of 128 KiB byte by byte")
    func lineByteByByte() throws {
        try expectLinear(inPiecesOf: 1, kibibytes: 64, suffix: "\r\n") {
            Lines(lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a netstring of 128 KiB byte by byte")
    func netstringByteByByte() throws {
        try expectLinear(inPiecesOf: 1, kibibytes: 64, prefix: { "\($0):" }, suffix: ",") {
            Netstrings(lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a string with a length prefix, of 128 KiB, byte by byte")
    func stringByteByByte() throws {
        try expectLinear(inPiecesOf: 1, kibibytes: 64, prefix: { text(LengthPrefix.uint32.edge($0).bytes.span) }) {
            Strings(lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a line", arguments: ["\n", "\r\n", "--boundary--", .any] as [LineDelimiter])
    func line(_ delimiter: LineDelimiter) throws {
        try expectLinear(suffix: text(delimiter.bytes.span)) {
            Lines(delimiter: delimiter, lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a line of which every byte may be the delimiter's last")
    func lineOfNearDelimiters() throws {
        try expectLinear(kibibytes: 64, suffix: "\r.") {
            Lines(delimiter: "\r.", lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a line that is skipped", arguments: ["\n", "\r\n", "...\n", "--boundary--"] as [LineDelimiter])
    func skippedLine(_ delimiter: LineDelimiter) throws {
        final class Skipping: LineReceiver {
            var received = 0
            override func lineLengthExceeded(_ line: Span<UInt8>) { received += 1 }
        }
        let end = text(delimiter.bytes.span)
        try expectLinear(suffix: end) {
            Skipping(delimiter: delimiter, lengthMax: $0 / 2, overlong: .discard)
        } received: { receiver in
            receiver.received == 1 && receiver.unfinishedByteCount == 0 ? receiver.lengthMax * 2 : 0
        }
    }

    @Test("a netstring")
    func netstring() throws {
        try expectLinear(prefix: { "\($0):" }, suffix: ",") {
            Netstrings(lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a string with a length prefix")
    func string() throws {
        try expectLinear(prefix: { text(LengthPrefix.uint32.edge($0).bytes.span) }) {
            Strings(lengthMax: $0)
        } received: {
            $0.received
        }
    }

    @Test("a frame of a fixed size")
    func fixedSize() throws {
        try expectLinear {
            Frames(FixedSizeFramer(size: $0))
        } received: {
            $0.received
        }
    }

    @Test("input that a pause holds back")
    func paused() throws {
        try expectLinear {
            let lines = Lines(lengthMax: $0)
            lines.pauseProducing()
            return lines
        } received: {
            $0.unreadBytes.count
        }
    }
}
