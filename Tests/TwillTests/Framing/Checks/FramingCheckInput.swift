import Twill

/// What a check is run with: the rules, the ways to cut, what the callbacks do, and the stream.
///
/// Fuzzers make it of bytes, so that each of their mutations means something; property tests make it of a seed:
///
///     0     the flavour: which delimiter, which length prefix, what happens to lines that are too long
///     1     the limit, or the size of a packet; 240 and above stand for great ones
///     2, 3  a delimiter of one to twelve letters
///     4-6   the sizes of the pieces that the stream is cut into, over and over
///     7     how many bytes follow that say what the callbacks do; see `Deed`
///
/// and then the stream. What is missing is 0.
struct FramingCheckInput: CustomStringConvertible {
    var rules: FramingRules
    var pieceSizes: [Int]
    var deeds: [UInt8] = []
    var hasTransport = true
    var stream: [UInt8]

    enum Kind: UInt8, CaseIterable {
        case lines
        case netstrings
        case strings
        case packets
    }

    private static let headerCount = 8
    private static let greatLimits = [
        255, 256, 257, 300, 999, 1000, 16384, 65535, 65536, 99_999, 1 << 31, 1 << 32, 1 << 56, .max / 10, .max - 1, .max,
    ]

    init(rules: FramingRules, pieceSizes: [Int], stream: [UInt8]) {
        self.rules = rules
        self.pieceSizes = pieceSizes
        self.stream = stream
    }

    /// Reads what a fuzzer made; the flavour decides on the kind too where that is nil.
    init(fuzzed bytes: [UInt8], kind: Kind?) {
        let header = Array(bytes.prefix(Self.headerCount)) + [UInt8](repeating: 0, count: max(0, Self.headerCount - bytes.count))
        let flavour = header[0]
        let limit = header[1] < 240 ? Int(header[1]) : Self.greatLimits[Int(header[1]) - 240]
        rules =
            switch kind ?? Kind(rawValue: flavour >> 4 & 3) ?? .lines {
            case .lines: .lines(Self.delimiter(header), lengthMax: limit, overlong: flavour & 4 == 0 ? .reject : .discard)
            case .netstrings: .netstrings(lengthMax: limit)
            case .strings: .strings(.bytes(1 << Int(flavour & 3), flavour & 4 == 0 ? .bigEndian : .littleEndian), lengthMax: limit)
            case .packets: .packets(size: max(1, limit))
            }
        pieceSizes = header[4...6].map { Int($0 & 63) }
        hasTransport = flavour & 128 == 0
        let rest = bytes.dropFirst(Self.headerCount)
        deeds = Array(rest.prefix(Int(header[7] & 31)))
        stream = Array(rest.dropFirst(deeds.count))
    }

    private static func delimiter(_ header: [UInt8]) -> LineDelimiter {
        switch header[0] & 3 {
        case 0: return .crlf
        case 1: return .lf
        case 2: return .any
        default:
            let letters = UInt16(header[2] >> 4) << 8 | UInt16(header[3])
            return .letters(count: Int(header[2] & 15) % 12 + 1, letters)
        }
    }

    /// The ways in which a check cuts the stream: not at all, after each byte, and as the sizes say.
    var cuts: [[Range<Int>]] {
        [[0..<stream.count], stream.indices.map { $0..<$0 + 1 }, pieces]
    }

    /// The pieces that the sizes make; some may be empty.
    var pieces: [Range<Int>] {
        let sizes = pieceSizes.contains { $0 > 0 } ? pieceSizes : [1]
        var pieces: [Range<Int>] = []
        var start = 0
        while start < stream.count {
            let end = min(stream.count, start + sizes[pieces.count % sizes.count])
            pieces.append(start..<end)
            start = end
        }
        return pieces
    }

    var description: String {
        "\(rules), pieces of \(pieceSizes), deeds \(deeds), \(hasTransport ? "" : "no transport, ")stream \(Self.text(stream))"
    }

    /// Bytes as text that can be read and pasted.
    static func text(_ bytes: [UInt8]) -> String {
        "\"" + bytes.map { Unicode.Scalar($0).escaped(asASCII: true) }.joined() + "\""
    }
}

extension LineDelimiter {
    /// A delimiter of the letters a and b, the worst case for partial matches; the lowest bit is its last letter.
    static func letters(count: Int, _ bits: UInt16) -> LineDelimiter {
        let letters = (0..<count).reversed().map { UInt8(ascii: bits >> UInt16($0) & 1 == 0 ? "a" : "b") }
        return (try? LineDelimiter(letters)) ?? .lf
    }
}
