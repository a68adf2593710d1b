import Testing

@testable import Twill

extension Framer {
    /// What the framer finds in a chunk, asked until it wants more or has rejected.
    mutating func events(in chunk: String) -> [String] {
        var events: [String] = []
        lend(chunk) { input in
            var position = 0
            while true {
                switch next(in: input, at: &position) {
                case .frame(let range): events.append("frame(\(text(input.extracting(range))))")
                case .collectedFrame: events.append("frame(\(text(takeCollected().span)))")
                case .skipped(let rejection, _): events.append("skipped at \(rejection.offset)")
                case .needsMore: return
                case .rejected(let rejection):
                    events.append("rejected at \(rejection.offset)")
                    return
                }
            }
        }
        return events
    }

    /// What it finds in the chunks, up to the first rejection.
    mutating func events(in chunks: [String]) -> [String] {
        var all: [String] = []
        for chunk in chunks {
            all += events(in: chunk)
            if all.last?.hasPrefix("rejected") == true { break }
        }
        return all
    }
}

/// A framer and a stream that it is tried with, alone.
struct FramerSample: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let framer: any Framer
    let input: String
    let expected: [String]

    init(_ name: String, _ framer: any Framer, _ input: String, _ expected: String...) {
        testDescription = name
        self.framer = framer
        self.input = input
        self.expected = expected
    }

    /// A sample of frames that keep the rules, and of the beginning of another one.
    init(_ name: String, _ framer: any Framer, frames: [String], beginning: String = "") {
        testDescription = name
        self.framer = framer
        var wire: [UInt8] = []
        for frame in frames { framer.encode(bytes(frame), into: &wire) }
        input = text(wire.span) + beginning
        expected = frames.map { "frame(\($0))" }
    }

    /// The two ends of the input, for each place where it can be cut.
    var cuts: [(String, String)] {
        let all = bytes(input)
        return (0...all.count).map { (text(Array(all[..<$0]).span), text(Array(all[$0...]).span)) }
    }
}

extension FramerSample {
    private static let frames = ["a", "", "hello", "", "\0\u{FF},;-\r", "0123456789", "z"]

    /// Streams that keep the rules.
    static let wellFormed: [FramerSample] = [
        FramerSample("lines that end with LF", LineFramer(delimiter: .lf, lengthMax: 10), frames: frames, beginning: "part"),
        FramerSample("lines that end with CR LF", LineFramer(lengthMax: 10), frames: frames, beginning: "part\r"),
        FramerSample("lines that end with either", LineFramer(delimiter: .any, lengthMax: 10), frames: frames, beginning: "part\r"),
        FramerSample(
            "lines that end with four bytes", LineFramer(delimiter: "\r\n\r\n", lengthMax: 10), frames: frames, beginning: "p\r\n\r"),
        FramerSample(
            "lines that end with many bytes", LineFramer(delimiter: "--boundary--", lengthMax: 10), frames: frames, beginning: "p--bound"),
        FramerSample("lines without a limit", LineFramer(lengthMax: .max), frames: frames, beginning: "part\r"),
        FramerSample(
            "lines that are discarded if too long", LineFramer(lengthMax: 10, overlong: .discard), frames: frames, beginning: "part\r"),
        FramerSample("netstrings", NetstringFramer(lengthMax: 10), frames: frames, beginning: "10:01234"),
        FramerSample("netstrings whose length is cut", NetstringFramer(), frames: frames, beginning: "1"),
        FramerSample("netstrings whose comma is to come", NetstringFramer(), frames: frames, beginning: "2:ab"),
        FramerSample("a length of one byte", LengthPrefixFramer(.uint8, lengthMax: 10), frames: frames, beginning: "\u{A}01234"),
        FramerSample("a length of two bytes", LengthPrefixFramer(.uint16), frames: frames, beginning: "\u{1}"),
        FramerSample(
            "a length of two bytes, little end first", LengthPrefixFramer(.uint16(.littleEndian)), frames: frames, beginning: "\u{1}\u{2}p"),
        FramerSample("a length of four bytes", LengthPrefixFramer(.uint32), frames: frames, beginning: "\0\0\u{1}\0part"),
        FramerSample(
            "a length of four bytes, little end first", LengthPrefixFramer(.uint32(.littleEndian)), frames: frames,
            beginning: "\u{5}\0\0\0part"),
        FramerSample("a length of eight bytes", LengthPrefixFramer(), frames: frames, beginning: "\0\0\0"),
        FramerSample(
            "a length of eight bytes, little end first", LengthPrefixFramer(.uint64(.littleEndian)), frames: frames,
            beginning: "\u{9}\0\0\0\0\0\0\0part"),
        FramerSample("frames of one byte", FixedSizeFramer(size: 1), frames: ["a", "b", "c"]),
        FramerSample("frames of five bytes", FixedSizeFramer(size: 5), frames: ["hello", "world", "\0\u{FF}\r\n,"], beginning: "part"),
    ]

    /// Streams that don't; offsets are those of the first byte that breaks a rule.
    static let rejected: [FramerSample] = [
        FramerSample("a line one byte too long", LineFramer(lengthMax: 3), "abc\r\nabcd\r\nz\r\n", "frame(abc)", "rejected at 8"),
        FramerSample("a line without an end", LineFramer(lengthMax: 3), "a\r\nabcdef", "frame(a)", "rejected at 6"),
        FramerSample("a line that ends with LF", LineFramer(delimiter: .lf, lengthMax: 3), "abc\nabcd\n", "frame(abc)", "rejected at 7"),
        FramerSample(
            "a line that ends with either", LineFramer(delimiter: .any, lengthMax: 3), "abc\r\nabc\nabcd\r\n", "frame(abc)", "frame(abc)",
            "rejected at 12"),
        FramerSample(
            "a line that ends with many bytes", LineFramer(delimiter: "--boundary--", lengthMax: 3), "abc--boundary--abcd--boundary--",
            "frame(abc)", "rejected at 18"),
        FramerSample(
            "a line where none may have any bytes", LineFramer(lengthMax: 0), "\r\n\r\nx\r\n", "frame()", "frame()", "rejected at 4"),
        FramerSample(
            "two lines too long, discarded", LineFramer(lengthMax: 3, overlong: .discard), "abcd\r\nabc\r\n0123456789\r\n\r\nz\r\n",
            "skipped at 3", "frame(abc)", "skipped at 14", "frame()", "frame(z)"),
        FramerSample(
            "two in a row, discarded", LineFramer(delimiter: ";", lengthMax: 3, overlong: .discard), "abcd;012345;abc;", "skipped at 3",
            "skipped at 8", "frame(abc)"),
        FramerSample(
            "ended by many bytes, discarded", LineFramer(delimiter: "--boundary--", lengthMax: 3, overlong: .discard),
            "--bound--bound--boundary--boundary--ab--boundary--ab--boundary--", "skipped at 3", "skipped at 29", "frame(ab)"),
        FramerSample(
            "ended by either, discarded", LineFramer(delimiter: .any, lengthMax: 3, overlong: .discard), "abcd\nabcd\r\n\rabcd\r\r\nabc\n",
            "skipped at 3", "skipped at 8", "skipped at 14", "frame(abc)"),
        FramerSample(
            "any byte where there must be none, discarded", LineFramer(lengthMax: 0, overlong: .discard), "x\r\n\r\n", "skipped at 0",
            "frame()"),
        FramerSample("a length that is no number", NetstringFramer(), "1:a,x", "frame(a)", "rejected at 4"),
        FramerSample("a length with a leading zero", NetstringFramer(), "1:a,01", "frame(a)", "rejected at 5"),
        FramerSample("a length without a colon", NetstringFramer(), "1:a,12;", "frame(a)", "rejected at 6"),
        FramerSample("no length", NetstringFramer(), "1:a,:", "frame(a)", "rejected at 4"),
        FramerSample("no comma", NetstringFramer(), "1:a,3:abc;", "frame(a)", "rejected at 9"),
        FramerSample("no comma behind no bytes", NetstringFramer(), "0:x", "rejected at 2"),
        FramerSample(
            "a netstring one byte too long", NetstringFramer(lengthMax: 10), "10:0123456789,11:", "frame(0123456789)", "rejected at 15"),
        FramerSample("a netstring where none may have any bytes", NetstringFramer(lengthMax: 0), "0:,1:a,", "frame()", "rejected at 3"),
        FramerSample("a number that fits nowhere", NetstringFramer(lengthMax: .max), String(repeating: "9", count: 30), "rejected at 18"),
        FramerSample(
            "a length one above the limit", LengthPrefixFramer(.uint16, lengthMax: 3), "\0\u{3}abc\0\u{4}abcd", "frame(abc)",
            "rejected at 5"),
        FramerSample(
            "a length one above the limit, little end first", LengthPrefixFramer(.uint16(.littleEndian), lengthMax: 3),
            "\u{3}\0abc\u{4}\0abcd", "frame(abc)", "rejected at 5"),
        FramerSample(
            "a length where none may have any bytes", LengthPrefixFramer(.uint8, lengthMax: 0), "\0\0\u{1}a", "frame()", "frame()",
            "rejected at 2"),
        FramerSample("a length above any number", LengthPrefixFramer(.uint64, lengthMax: .max), "\u{80}\0\0\0\0\0\0\0", "rejected at 0"),
        FramerSample(
            "the greatest length of eight bytes", LengthPrefixFramer(.uint64(.littleEndian), lengthMax: .max),
            String(repeating: "\u{FF}", count: 8), "rejected at 0"),
    ]
}
