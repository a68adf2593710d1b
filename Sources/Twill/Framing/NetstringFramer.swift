/// Splits a stream of bytes into netstrings, `5:hello,` (https://cr.yp.to/proto/netstrings.txt); see ``Framer`` for how it is used.
///
/// ```swift
/// var framer = NetstringFramer(lengthMax: 1 << 20)
/// try framer.forEachFrame(in: bytes.span) { string in print(string.count) }
/// ```
///
/// The length is a decimal number without leading zeros (`0` alone is one), at most `lengthMax`. The first byte that breaks the rules is a
/// rejection.
public struct NetstringFramer: Framer {
    private enum Phase {
        case length
        case payload
        case rejected(Rejection)
    }

    /// The most bytes that a string may have.
    public var lengthMax: Int

    private var collected: [UInt8] = []
    public var streamOffset = 0
    private var phase = Phase.length
    private var length = 0
    private var digits = 0

    /// Makes a framer; the default limit is Twisted's, 99999 bytes.
    public init(lengthMax: Int = 99_999) {
        self.lengthMax = lengthMax
    }

    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    public mutating func reset() {
        collected = []
        expectLength()
    }

    public var unfinishedBytes: [UInt8] {
        switch phase {
        case .length: digits > 0 ? Array("\(length)".utf8) : []
        case .payload: Array("\(length):".utf8) + collected
        case .rejected: []
        }
    }

    public var unfinishedByteCount: Int {
        switch phase {
        case .length: digits
        case .payload: digits + 1 + collected.count
        case .rejected: 0
        }
    }

    /// Whether the next byte begins a string, so that ``wholeString(in:from:lengthMax:)`` can be asked.
    var isAtBoundary: Bool {
        if case .length = phase { digits == 0 } else { false }
    }

    public func encode(_ string: Span<UInt8>, into output: inout [UInt8]) {
        output += "\(string.count):".utf8
        output.append(copying: string)
        output.append(UInt8(ascii: ","))
    }

    /// The string that begins at `start`, where all of it is in the input and keeps the rules; nil says nothing of what is wrong.
    @inline(__always)
    static func wholeString(in input: Span<UInt8>, from start: Int, lengthMax: Int) -> Range<Int>? {
        var length = 0
        var position = start
        while position < input.count {
            let digit = Int(input[position]) &- Int(UInt8(ascii: "0"))
            guard (0...9).contains(digit) else { break }
            // Nothing can overflow below this limit, and no limit above it is worth a fast way.
            length = length &* 10 &+ digit
            position &+= 1
            guard length <= lengthMax, length < 1 << 32 else { return nil }
        }
        let payload = position &+ 1
        guard position > start, position == start &+ 1 || input[start] != UInt8(ascii: "0"), payload &+ length < input.count,
            input[position] == UInt8(ascii: ":"),
            input[payload &+ length] == UInt8(ascii: ",")
        else { return nil }
        return payload..<payload &+ length
    }

    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        switch phase {
        case .length:
            if let reason = takeLength(in: input, at: &position) { return reject(reason, at: position) }
        case .payload: break
        case .rejected(let rejection): return .rejected(rejection)
        }
        guard case .payload = phase else { return needMore(input) }
        let start = position
        guard collected.isEmpty, length < input.count - start else { return collect(from: input, at: &position) }
        let end = start + length
        guard input[end] == UInt8(ascii: ",") else { return reject(.missingComma, at: end) }
        position = end + 1
        expectLength()
        return .frame(start..<end)
    }

    private mutating func expectLength() {
        phase = .length
        length = 0
        digits = 0
    }

    private mutating func needMore(_ input: Span<UInt8>) -> FramerStep {
        streamOffset += input.count
        return .needsMore
    }

    private mutating func reject(_ reason: Rejection.Reason, at position: Int) -> FramerStep {
        let rejection = Rejection(reason, offset: streamOffset + position)
        phase = .rejected(rejection)
        collected = []
        return .rejected(rejection)
    }

    /// Reads the length and its colon, as far as the input goes; where the peer broke the rules, how. The position is that of the culprit then.
    private mutating func takeLength(in input: Span<UInt8>, at position: inout Int) -> Rejection.Reason? {
        while position < input.count {
            let byte = input[position]
            if byte == UInt8(ascii: ":"), digits > 0 {
                position += 1
                phase = .payload
                return nil
            }
            let digit = Int(byte) - Int(UInt8(ascii: "0"))
            guard (0...9).contains(digit), digits == 0 || length > 0 else { return .badNetstringLength }
            let (longer, overflow) = length.multipliedReportingOverflow(by: 10)
            guard !overflow, longer <= Int.max - digit, longer + digit <= lengthMax else { return .stringTooLong(lengthMax: lengthMax) }
            length = longer + digit
            digits += 1
            position += 1
        }
        return nil
    }

    /// Takes in as much of a split string as there is.
    private mutating func collect(from input: Span<UInt8>, at position: inout Int) -> FramerStep {
        let taken = min(length - collected.count, input.count - position)
        collected.append(copying: input.extracting(position..<position + taken))
        position += taken
        guard collected.count == length, position < input.count else { return needMore(input) }
        guard input[position] == UInt8(ascii: ",") else { return reject(.missingComma, at: position) }
        position += 1
        expectLength()
        return .collectedFrame
    }
}
