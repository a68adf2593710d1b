@testable import Twill

/// The framings that Twill and Twisted both have; the raw values are what the script of the peer calls them.
enum SharedFraming: String, CaseIterable, Sendable {
    case lines, netstrings, int32, int16, int8

    /// The longest message that is tried; more than either side takes unless it is told to, where the framing has room for more.
    var lengthMax: Int {
        switch self {
        case .lines, .netstrings, .int32: 100_000
        case .int16: 65_535
        case .int8: 255
        }
    }

    /// Random bytes, the same on both sides, that messages are cut out of.
    var pool: [UInt8] { self == .lines ? Self.poolWithoutDelimiters : Self.randomPool }

    private static let randomPool: [UInt8] = {
        var generator = SeededGenerator(seed: 0)
        return (0..<(1 << 15)).flatMap { _ in
            let number = generator.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - $0 * 8)) }
        }
    }()

    /// Without CR LF; each of them alone is frequent, and a line may well end with the one or begin with the other.
    private static let poolWithoutDelimiters: [UInt8] = {
        var pool = randomPool
        for index in pool.indices.dropLast() where pool[index] == 13 && pool[index + 1] == 10 { pool[index] = UInt8(ascii: ".") }
        return pool
    }()
}

/// The messages that a seed stands for: both sides work them out, and neither takes the other's word.
///
/// Half of them are shorter than a hundred bytes or so, and all sizes up to the limit occur. One in 64 is as long as may be, and twice as many
/// have a length around a multiple of 16 KiB, where buffers end.
///
/// `random_messages` in twisted_peer.py is the same, number for number.
struct RandomMessages {
    let framing: SharedFraming
    private var generator: SeededGenerator

    init(_ framing: SharedFraming, seed: UInt64) {
        self.framing = framing
        generator = SeededGenerator(seed: seed)
    }

    /// The next message, as its place in the framing's pool.
    mutating func next() -> Range<Int> {
        let lengthMax = framing.lengthMax
        let widths = UInt64(Int.bitWidth - lengthMax.leadingZeroBitCount + 1)
        let kind = generator.next() % 64
        let bits = min(generator.next() % widths, generator.next() % widths)
        let number = generator.next()
        let start = Int(generator.next() % UInt64(framing.pool.count - lengthMax + 1))
        let length =
            switch kind {
            case 0: lengthMax
            case 1, 2: 16384 * Int(1 + number % 6) + Int(number / 6 % 5) - 2
            default: Int(number % (1 << bits))
            }
        return start..<start + min(length, lengthMax)
    }
}
