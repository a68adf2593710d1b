/// What ends a line and how long a line may be: the part of line framing that needs no memory, for delimiters of up to eight bytes.
///
/// It finds the lines that lie whole inside one input. Trivial on purpose: a receiver copies it into registers for each line.
struct LineRule: Sendable {
    /// The longest delimiter that fits.
    static let delimiterBytesMax = 8

    private var bytes = InlineArray<8, UInt8>(repeating: 0)
    private let count: Int
    var lengthMax: Int

    /// Nil for a delimiter that does not fit.
    init?(delimiter: [UInt8], lengthMax: Int) {
        guard (1...Self.delimiterBytesMax).contains(delimiter.count) else { return nil }
        for (index, byte) in delimiter.enumerated() {
            bytes[index] = byte
        }
        count = delimiter.count
        self.lengthMax = lengthMax
    }

    /// The range of the line that begins at `start`, and nil where its end is not in the input or it is too long.
    @inline(__always)
    func line(in input: Span<UInt8>, from start: Int) -> Range<Int>? {
        guard let end = end(in: input, from: start), end - count - start <= lengthMax else { return nil }
        return start..<end - count
    }

    /// Where the next line begins.
    @inline(__always)
    func position(behind line: Range<Int>) -> Int { line.upperBound + count }

    /// The position behind the first delimiter that begins at or after `start`.
    @inline(__always)
    private func end(in input: Span<UInt8>, from start: Int) -> Int? {
        var from = start + count - 1
        while let last = input.firstPosition(of: bytes[count - 1], from: from) {
            if matches(input, endingAt: last) { return last + 1 }
            from = last + 1
        }
        return nil
    }

    /// Whether the bytes before `last` are the delimiter's; `last` itself is known to be right.
    @inline(__always)
    private func matches(_ input: Span<UInt8>, endingAt last: Int) -> Bool {
        let first = last - count + 1
        for index in 0..<count - 1 where input[first + index] != bytes[index] {
            return false
        }
        return true
    }

    /// Lends the delimiter.
    @inline(__always)
    func withDelimiter(_ body: (Span<UInt8>) -> Void) {
        let bytes = bytes
        body(bytes.span.extracting(..<count))
    }
}
