/// The few bytes before or behind a frame's payload, such as a length or a delimiter: at most eight, held in a register.
///
/// ```swift
/// transport.writeFrame(prefix: FrameEdge(bigEndian: UInt16(bytes.count)), body: bytes.span, suffix: .none)
/// ```
///
/// A type of its own, so that sending a small frame costs one copy of its payload and two stores, and no array.
public struct FrameEdge: Hashable, Sendable, BitwiseCopyable {
    /// The most bytes that an edge may have.
    public static let countMax = 8
    /// No bytes at all.
    public static let none = FrameEdge()
    /// CR LF.
    public static let crlf = FrameEdge(word: 0x0A0D, count: 2)

    /// The bytes, the first one lowest; those above `count` are 0.
    package private(set) var word: UInt64 = 0
    /// How many there are.
    public private(set) var count = 0

    private init() {}

    /// An edge of these bytes; nil where they are more than ``countMax``.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.countMax else { return nil }
        for byte in bytes.reversed() {
            prepend(byte)
        }
    }

    /// The bytes of a number of at most 64 bits, the most significant one first.
    @inline(__always)
    public init<Number: FixedWidthInteger & UnsignedInteger>(bigEndian number: Number) {
        let count = MemoryLayout<Number>.size
        precondition(count <= Self.countMax, "a frame's edge has no room for a number of \(count) bytes")
        self.init(word: UInt64(truncatingIfNeeded: number).byteSwapped &>> UInt64(64 - count * 8), count: count)
    }

    /// The bytes of a number of at most 64 bits, the least significant one first.
    @inline(__always)
    public init<Number: FixedWidthInteger & UnsignedInteger>(littleEndian number: Number) {
        let count = MemoryLayout<Number>.size
        precondition(count <= Self.countMax, "a frame's edge has no room for a number of \(count) bytes")
        self.init(word: UInt64(truncatingIfNeeded: number), count: count)
    }

    /// The lowest bytes of a word, up to eight of them; the others are 0.
    @inline(__always)
    init(word: UInt64, count: Int) {
        self.word = word
        self.count = count
    }

    /// A number in decimal digits and a byte behind it; nil where it has too many digits.
    @inline(__always)
    init?(decimal number: Int, then last: UInt8) {
        guard (0..<10_000_000).contains(number) else { return nil }
        prepend(last)
        var rest = UInt32(truncatingIfNeeded: number)
        repeat {
            prepend(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
    }

    /// Puts a byte in front; there is room for it.
    @inline(__always)
    private mutating func prepend(_ byte: UInt8) {
        word = word << 8 | UInt64(byte)
        count += 1
    }

    /// Puts a byte behind the others; there is room for it.
    mutating func append(_ byte: UInt8) {
        word |= UInt64(byte) << UInt64(count * 8)
        count += 1
    }

    /// The byte at a position below `count`.
    @inline(__always)
    subscript(position: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: word >> UInt64(truncatingIfNeeded: position * 8))
    }

    /// The bytes, for who looks at them.
    public var bytes: [UInt8] { (0..<count).map { self[$0] } }
}
