import Twill

// This folder is compiled twice: by the tests, and by the fuzzers of the package in Fuzz/. It uses what is public of Twill, and nothing else.

/// How a stream is split into frames: what framers and receivers are made of, and what the naive reading in `NaiveFraming.swift` goes by.
enum FramingRules: Hashable, Sendable {
    case lines(LineRules)
    case netstrings(lengthMax: Int)
    case strings(LengthPrefix, lengthMax: Int)
    case packets(size: Int)

    struct LineRules: Hashable, Sendable {
        var delimiter: LineDelimiter
        var lengthMax: Int
        var overlong = OverlongLines.reject
    }

    static func lines(_ delimiter: LineDelimiter, lengthMax: Int, overlong: OverlongLines = .reject) -> FramingRules {
        .lines(LineRules(delimiter: delimiter, lengthMax: lengthMax, overlong: overlong))
    }

    func makeFramer() -> any Framer {
        switch self {
        case .lines(let rules): LineFramer(delimiter: rules.delimiter, lengthMax: rules.lengthMax, overlong: rules.overlong)
        case .netstrings(let lengthMax): NetstringFramer(lengthMax: lengthMax)
        case .strings(let prefix, let lengthMax): LengthPrefixFramer(prefix, lengthMax: lengthMax)
        case .packets(let size): FixedSizeFramer(size: size)
        }
    }

    /// Whether a frame can be written in only one way, so that frames which are encoded again give the stream that they came from.
    var isCanonical: Bool {
        if case .lines(let rules) = self { rules.delimiter != .any && rules.overlong == .reject } else { true }
    }

    /// Some frame that keeps the rules; nil where there is no small one.
    var sampleFrame: [UInt8]? {
        switch self {
        case .lines, .netstrings, .strings: []
        case .packets(let size): size < 1000 ? [UInt8](repeating: 7, count: size) : nil
        }
    }

    /// The most bytes of an unfinished frame that a framer may hold.
    var heldCountMax: Int {
        switch self {
        case .lines(let rules): min(rules.lengthMax, .max - 100) + rules.delimiter.bytes.count - 1
        case .netstrings(let lengthMax): lengthMax
        case .strings(let prefix, let lengthMax): max(prefix.byteCount - 1, lengthMax)
        case .packets(let size): size - 1
        }
    }
}

extension LengthPrefix {
    /// A length of one, two, four or eight bytes.
    static func bytes(_ count: Int, _ order: ByteOrder) -> LengthPrefix {
        switch count {
        case 1: .uint8
        case 2: .uint16(order)
        case 4: .uint32(order)
        default: .uint64(order)
        }
    }
}
