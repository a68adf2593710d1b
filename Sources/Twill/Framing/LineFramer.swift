/// Splits a stream of bytes into lines. Knows nothing of sockets.
///
/// ```swift
/// var framer = LineFramer()
/// var position = 0
/// while case .line(let range) = framer.next(in: input, at: &position) {
///     use(input.extracting(range))
/// }
/// ```
///
/// A line that lies inside one input is told as a range of it, uncopied. Only a line that is split between inputs is collected, and each byte
/// is looked at once: the time is linear in the bytes, the memory at most `lengthMax` and a delimiter.
///
/// Invariant: `collected` holds no whole delimiter, and at most `lengthMax + delimiter.count - 1` bytes.
public struct LineFramer: Sendable {
    /// What the next bytes of the input are.
    public enum Step: Equatable, Sendable {
        /// A line in this range of the input, its delimiter not included.
        case line(Range<Int>)
        /// A line that began in an earlier input; ``LineFramer/takeCollected()`` gives it.
        case collectedLine
        /// No whole line; the rest was collected.
        case needsMore
        /// A line longer than the limit begins at the position, or earlier if something was collected. Nothing was consumed.
        case tooLong
    }

    /// The most bytes that a line may have, its delimiter not counted.
    public var lengthMax: Int

    /// What ends a line; never empty.
    public private(set) var delimiter: [UInt8]

    /// The start of a line whose end is still to come.
    public private(set) var collected: [UInt8] = []

    /// Makes a framer; the default is Twisted's: lines end with CR LF and have at most 16384 bytes.
    ///
    /// - Precondition: the delimiter is not empty.
    public init(delimiter: [UInt8] = [13, 10], lengthMax: Int = 16384) {
        precondition(!delimiter.isEmpty, "a line's delimiter needs at least one byte, such as [10] for LF")
        self.delimiter = delimiter
        self.lengthMax = lengthMax
    }

    /// Changes what ends a line, and gives back what was collected, which may hold the new delimiter.
    ///
    /// - Precondition: the delimiter is not empty.
    public mutating func setDelimiter(_ delimiter: [UInt8]) -> [UInt8] {
        precondition(!delimiter.isEmpty, "a line's delimiter needs at least one byte, such as [10] for LF")
        self.delimiter = delimiter
        return takeCollected()
    }

    /// Takes out the line that ``Step/collectedLine`` told of, or whatever was collected so far.
    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    /// The rule for lines that need no memory; nil where there is none, or where a line has begun.
    var rule: LineRule? {
        collected.isEmpty ? LineRule(delimiter: delimiter, lengthMax: lengthMax) : nil
    }

    /// Finds the next line at or after the position, and moves the position behind its delimiter.
    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> Step {
        guard let end = end(in: input, from: position) else {
            return collectRest(of: input, at: &position)
        }
        let start = position
        let lineEnd = end - delimiter.count
        guard collected.count + lineEnd - start <= lengthMax else { return .tooLong }
        position = end
        guard !collected.isEmpty else { return .line(start..<lineEnd) }
        if lineEnd >= start {
            collected.append(input.extracting(start..<lineEnd))
        } else {
            // The delimiter began in what was collected.
            collected.removeLast(start - lineEnd)
        }
        return .collectedLine
    }

    /// The position behind the first delimiter, whose beginning may lie in what was collected.
    ///
    /// Its last byte is what is searched for, so that a delimiter split between two inputs needs no second look at the first.
    private func end(in input: Span<UInt8>, from start: Int) -> Int? {
        let lastByte = delimiter[delimiter.count - 1]
        var from = start
        while let last = input.firstPosition(of: lastByte, from: from) {
            if matches(input, start: start, endingAt: last) { return last + 1 }
            from = last + 1
        }
        return nil
    }

    private func matches(_ input: Span<UInt8>, start: Int, endingAt last: Int) -> Bool {
        let count = delimiter.count
        guard collected.count + last - start + 1 >= count else { return false }
        for back in 1..<max(1, count) {
            let index = last - back
            let byte = index >= start ? input[index] : collected[collected.count + index - start]
            guard byte == delimiter[count - 1 - back] else { return false }
        }
        return true
    }

    private mutating func collectRest(of input: Span<UInt8>, at position: inout Int) -> Step {
        guard collected.count + input.count - position <= lengthMax + delimiter.count - 1 else { return .tooLong }
        collected.append(input.extracting(position...))
        position = input.count
        return .needsMore
    }
}
