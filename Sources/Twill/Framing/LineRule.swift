/// What ends a line and how long a line may be: the part of line framing that needs no memory, for delimiters of one or two bytes.
///
/// It finds the lines that lie whole inside one input. A few plain bytes, so that a receiver has it at hand for each line.
struct LineRule: BitwiseCopyable, Sendable {
    /// Whether lines are found here now.
    private(set) var isEnabled: Bool
    /// The delimiter's last byte, which is what is searched for.
    private let lastByte: UInt8
    /// The byte in front of it, which is part of the delimiter if it is there; -1 where there is no such byte.
    private let byteBefore: Int16
    private let needsByteBefore: Bool
    private let fits: Bool
    var lengthMax: Int

    /// A rule that finds nothing for a delimiter that does not fit.
    init(_ delimiter: LineDelimiter, lengthMax: Int) {
        let bytes = delimiter.bytes
        lastByte = bytes[bytes.count - 1]
        byteBefore = bytes.count > 1 ? Int16(bytes[bytes.count - 2]) : -1
        needsByteBefore = bytes.count > 1 && !delimiter.takesLoneLineFeed
        fits = bytes.count <= 2
        isEnabled = fits
        self.lengthMax = lengthMax
    }

    /// Says whether lines are to be found here.
    mutating func enable(_ enables: Bool) {
        isEnabled = enables && fits
    }

    /// What a search has found.
    enum Found {
        /// A line that ends there, however long it is, and where the next one begins.
        case line(end: Int, next: Int)
        /// No end of a line in all of the input.
        case nothing
        /// The framer must look: the last byte came up without the one before it, or lines are not found here now.
        case unsure
    }

    /// Looks for the end of the line that begins at `start`.
    @inline(__always)
    func line(in input: Span<UInt8>, from start: Int) -> Found {
        guard isEnabled else { return .unsure }
        guard let last = input.firstPosition(of: lastByte, from: start) else { return .nothing }
        if last > start, Int16(input[last &- 1]) == byteBefore { return .line(end: last &- 1, next: last &+ 1) }
        return needsByteBefore ? .unsure : .line(end: last, next: last &+ 1)
    }
}
