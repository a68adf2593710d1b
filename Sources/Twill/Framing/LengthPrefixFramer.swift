/// How a length is written in front of a string.
public struct LengthPrefix: Hashable, Sendable, BitwiseCopyable {
    /// Which byte of the length comes first.
    public enum ByteOrder: Sendable, BitwiseCopyable {
        /// The most significant one: network byte order.
        case bigEndian
        /// The least significant one.
        case littleEndian
    }

    /// One byte: strings of up to 255 bytes.
    public static let uint8 = LengthPrefix(byteCount: 1, .bigEndian)
    /// Two bytes, the most significant one first: strings of up to 65535 bytes.
    public static let uint16 = uint16(.bigEndian)
    /// Four bytes, the most significant one first.
    public static let uint32 = uint32(.bigEndian)
    /// Eight bytes, the most significant one first.
    public static let uint64 = uint64(.bigEndian)

    /// Two bytes in this order.
    public static func uint16(_ order: ByteOrder) -> LengthPrefix { LengthPrefix(byteCount: 2, order) }
    /// Four bytes in this order.
    public static func uint32(_ order: ByteOrder) -> LengthPrefix { LengthPrefix(byteCount: 4, order) }
    /// Eight bytes in this order.
    public static func uint64(_ order: ByteOrder) -> LengthPrefix { LengthPrefix(byteCount: 8, order) }

    /// How many bytes the length has.
    public let byteCount: Int
    /// Which of them comes first.
    public let byteOrder: ByteOrder

    /// The greatest length that can be written.
    public let lengthMax: Int
    /// How many bits of a word of 64 the length leaves free.
    private let freeBits: UInt64

    private init(byteCount: Int, _ byteOrder: ByteOrder) {
        self.byteCount = byteCount
        self.byteOrder = byteOrder
        lengthMax = byteCount == 8 ? .max : 1 << (byteCount * 8) - 1
        freeBits = UInt64(64 - byteCount * 8)
    }

    /// The bytes of a length that can be written.
    @inline(__always)
    func edge(_ length: Int) -> FrameEdge {
        let number = UInt64(truncatingIfNeeded: length)
        return FrameEdge(word: byteOrder == .bigEndian ? number.byteSwapped &>> freeBits : number, count: byteCount)
    }

    /// The length whose bytes are the first ones of a word, the lowest first.
    @inline(__always)
    func length(in word: UInt64) -> UInt64 {
        byteOrder == .bigEndian ? word.byteSwapped &>> freeBits : (word &<< freeBits) &>> freeBits
    }
}

/// Splits a stream of bytes into strings that have their length in front of them; see ``Framer`` for how it is used.
///
/// ```swift
/// var framer = LengthPrefixFramer(.uint16(.littleEndian))
/// try framer.forEachFrame(in: bytes.span) { string in print(string.count) }
/// ```
///
/// The length counts the string alone. A length above `lengthMax` is a rejection, as soon as its last byte is there.
public struct LengthPrefixFramer: Framer {
    private enum Phase {
        case prefix
        case payload(Int)
        case rejected(Rejection)
    }

    /// How the length is written.
    public let prefix: LengthPrefix
    /// The most bytes that a string may have.
    public var lengthMax: Int

    public var streamOffset = 0
    /// The start of a prefix whose end is still to come.
    private var prefixBytes = FrameEdge.none
    /// The start of a string whose end is still to come.
    private var collected: [UInt8] = []
    private var phase = Phase.prefix

    /// Makes a framer; the default limit is Twisted's, 99999 bytes.
    public init(_ prefix: LengthPrefix = .uint32, lengthMax: Int = 99_999) {
        self.prefix = prefix
        self.lengthMax = lengthMax
    }

    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    public mutating func reset() {
        phase = .prefix
        prefixBytes = .none
        collected = []
    }

    public var unfinishedBytes: [UInt8] {
        if case .payload(let length) = phase { prefix.edge(length).bytes + collected } else { prefixBytes.bytes }
    }

    public var unfinishedByteCount: Int {
        if case .payload = phase { prefix.byteCount + collected.count } else { prefixBytes.count }
    }

    /// Whether the next byte begins a prefix, so that ``wholeString(in:from:prefix:lengthMax:)`` can be asked.
    var isAtBoundary: Bool {
        if case .prefix = phase { prefixBytes.count == 0 } else { false }
    }

    public func encode(_ string: Span<UInt8>, into output: inout [UInt8]) {
        output += prefix.edge(string.count).bytes
        output.append(copying: string)
    }

    /// The string whose prefix begins at `start`, where all of it is in the input and keeps the limit; nil says nothing of what is wrong.
    @inline(__always)
    static func wholeString(in input: Span<UInt8>, from start: Int, prefix: LengthPrefix, lengthMax: Int) -> Range<Int>? {
        // The last few bytes of an input have no whole word; they are the framer's.
        guard let word = input.word(at: start) else { return nil }
        let payload = start &+ prefix.byteCount
        let length = prefix.length(in: word)
        // A limit of -1 finds nothing.
        guard lengthMax >= 0, length <= UInt64(truncatingIfNeeded: lengthMax) else { return nil }
        let count = Int(truncatingIfNeeded: length)
        guard count <= input.count &- payload else { return nil }
        return payload..<payload &+ count
    }

    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        while true {
            switch phase {
            case .prefix:
                let start = position
                guard let length = takePrefix(in: input, at: &position) else { return needMore(input) }
                guard length <= UInt64(max(0, lengthMax)) else {
                    let prefixStart = start - (prefix.byteCount - (position - start))
                    return reject(.stringTooLong(lengthMax: lengthMax), at: prefixStart)
                }
                phase = .payload(Int(length))
            case .payload(let length): return takePayload(length, in: input, at: &position)
            case .rejected(let rejection): return .rejected(rejection)
            }
        }
    }

    private mutating func needMore(_ input: Span<UInt8>) -> FramerStep {
        streamOffset += input.count
        return .needsMore
    }

    private mutating func reject(_ reason: Rejection.Reason, at position: Int) -> FramerStep {
        let rejection = Rejection(reason, offset: streamOffset + position)
        phase = .rejected(rejection)
        return .rejected(rejection)
    }

    /// The announced length; nil where its last byte is still to come.
    private mutating func takePrefix(in input: Span<UInt8>, at position: inout Int) -> UInt64? {
        if prefixBytes.count == 0, let word = input.word(at: position) {
            position += prefix.byteCount
            return prefix.length(in: word)
        }
        while prefixBytes.count < prefix.byteCount, position < input.count {
            prefixBytes.append(input[position])
            position += 1
        }
        guard prefixBytes.count == prefix.byteCount else { return nil }
        defer { prefixBytes = .none }
        return prefix.length(in: prefixBytes.word)
    }

    private mutating func takePayload(_ length: Int, in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        let start = position
        let taken = min(length - collected.count, input.count - start)
        position += taken
        if collected.isEmpty, taken == length {
            phase = .prefix
            return .frame(start..<position)
        }
        collected.append(copying: input.extracting(start..<position))
        guard collected.count == length else { return needMore(input) }
        phase = .prefix
        return .collectedFrame
    }
}
