/// Splits a stream of bytes into netstrings: `5:hello,`. Knows nothing of sockets.
///
/// A string that lies inside one input is told as a range of it, uncopied; one that is split between inputs is collected as its bytes come,
/// never from the size that was announced. The first byte that breaks the rules is a rejection, and nothing comes after it.
///
/// The length is a decimal number without leading zeros (`0` alone is one), at most `lengthMax`.
public struct NetstringFramer: Sendable {
    /// What the next bytes of the input are.
    public enum Step: Equatable, Sendable {
        /// A string in this range of the input.
        case string(Range<Int>)
        /// A string that began in an earlier input; ``NetstringFramer/takeCollected()`` gives it.
        case collectedString
        /// No whole string; the rest was taken in.
        case needsMore
        /// The input is no netstring; nothing more will come.
        case rejected(FramingError)
    }

    private enum Phase {
        case length, payload, rejected
    }

    /// The most bytes that a string may have.
    public var lengthMax: Int

    /// The start of a string whose end is still to come.
    public private(set) var collected: [UInt8] = []

    private var phase = Phase.length
    private var length = 0
    private var digits = 0
    private var rejection = FramingError.badNetstringLength

    /// Makes a framer; the default limit is Twisted's, 99999 bytes.
    public init(lengthMax: Int = 99_999) {
        self.lengthMax = lengthMax
    }

    /// Takes out the string that ``Step/collectedString`` told of, or whatever was collected so far.
    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    /// The bytes of an unfinished string that were taken in, those of its length and the colon included.
    var unfinishedByteCount: Int {
        digits + (phase == .payload ? 1 : 0) + collected.count
    }

    /// The limit while the next byte begins a string, so that ``wholeString(in:from:lengthMax:)`` can be asked; else nil.
    var limitAtBoundary: Int? {
        phase == .length && digits == 0 ? lengthMax : nil
    }

    /// The string that begins at `start`, where all of it is in the input and keeps the rules; nil says nothing of what is wrong.
    @inline(__always)
    static func wholeString(in input: Span<UInt8>, from start: Int, lengthMax: Int) -> Range<Int>? {
        var length = 0
        var position = start
        while position < input.count {
            let digit = Int(input[position]) - Int(UInt8(ascii: "0"))
            guard (0...9).contains(digit) else { break }
            // Nothing can overflow below this limit, and no limit above it is worth a fast way.
            length = length * 10 + digit
            position += 1
            guard length <= lengthMax, length < 1 << 32 else { return nil }
        }
        let payload = position + 1
        guard position > start, position == start + 1 || input[start] != UInt8(ascii: "0"), payload + length < input.count,
            input[position] == UInt8(ascii: ":"),
            input[payload + length] == UInt8(ascii: ",")
        else { return nil }
        return payload..<payload + length
    }

    /// Finds the next string at the position, and moves the position behind its comma.
    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> Step {
        if phase == .length {
            guard takeLength(in: input, at: &position) else {
                return phase == .rejected ? .rejected(rejection) : .needsMore
            }
        }
        guard phase == .payload else { return .rejected(rejection) }
        let start = position
        let end = start + length
        guard collected.isEmpty, end < input.count else { return collect(from: input, at: &position) }
        guard input[end] == UInt8(ascii: ",") else { return reject(.missingComma) }
        position = end + 1
        expectLength()
        return .string(start..<end)
    }

    private mutating func expectLength() {
        phase = .length
        length = 0
        digits = 0
    }

    private mutating func reject(_ error: FramingError) -> Step {
        rejection = error
        phase = .rejected
        collected = []
        return .rejected(error)
    }

    /// Reads the length and its colon; false where the input ended or the peer broke the rules.
    private mutating func takeLength(in input: Span<UInt8>, at position: inout Int) -> Bool {
        while position < input.count {
            let byte = input[position]
            position += 1
            if byte == UInt8(ascii: ":"), digits > 0 {
                phase = .payload
                return true
            }
            let digit = Int(byte) - Int(UInt8(ascii: "0"))
            guard (0...9).contains(digit), digits == 0 || length > 0 else {
                _ = reject(.badNetstringLength)
                return false
            }
            // Cannot overflow: the length never gets past ten times the limit, and the limit is checked first.
            let (longer, overflow) = length.multipliedReportingOverflow(by: 10)
            guard !overflow, longer <= Int.max - digit, longer + digit <= lengthMax else {
                _ = reject(.netstringTooLong(lengthMax: lengthMax))
                return false
            }
            length = longer + digit
            digits += 1
        }
        return false
    }

    /// Takes in as much of a split string as there is.
    private mutating func collect(from input: Span<UInt8>, at position: inout Int) -> Step {
        let taken = min(length - collected.count, input.count - position)
        collected.append(input.extracting(position..<position + taken))
        position += taken
        guard collected.count == length, position < input.count else { return .needsMore }
        guard input[position] == UInt8(ascii: ",") else { return reject(.missingComma) }
        position += 1
        expectLength()
        return .collectedString
    }
}
