/// What happens to a line that is longer than the limit.
public enum OverlongLines: Sendable {
    /// The peer is rejected: nothing more is read from it.
    case reject
    /// The line is told of once and skipped; reading goes on behind its delimiter.
    case discard
}

/// Splits a stream of bytes into lines; see ``Framer`` for how it is used.
///
/// ```swift
/// var framer = LineFramer(delimiter: .any, lengthMax: 512)
/// try framer.forEachFrame(in: bytes.span) { line in print(String(repairing: line)) }
/// ```
///
/// A line that may still turn out right is waited for: the limit counts when its end has come, or when more bytes than the limit and a delimiter
/// have.
///
/// Invariant: `collected` holds no whole delimiter, and at most `lengthMax + delimiter.count - 1` bytes.
public struct LineFramer: Framer {
    private enum Phase {
        case line
        case discarding
        /// The end of a line that is skipped has come; its beginning may still be taken.
        case discarded
        case rejected(Rejection)
    }

    /// The most bytes that a line may have, its delimiter not counted.
    public var lengthMax: Int
    /// What ends a line.
    public private(set) var delimiter: LineDelimiter {
        didSet { rule = LineRule(delimiter, lengthMax: lengthMax) }
    }
    /// What happens to a line that is longer than the limit.
    public var overlong: OverlongLines

    public var streamOffset = 0
    /// The start of a line whose end is still to come.
    private var collected: [UInt8] = []
    /// Up to where the input at hand is known to hold no delimiter.
    var scanned = 0
    private var phase = Phase.line
    /// Finds the lines that lie whole in an input, which most do. The limit is not the rule's affair.
    private var rule: LineRule
    /// The last bytes of a line that is skipped, which may be the beginning of its delimiter.
    private var tail: [UInt8] = []

    /// Makes a framer; the default is Twisted's: lines end with CR LF and have at most 16384 bytes.
    public init(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384, overlong: OverlongLines = .reject) {
        self.delimiter = delimiter
        self.lengthMax = lengthMax
        self.overlong = overlong
        rule = LineRule(delimiter, lengthMax: lengthMax)
    }

    /// Changes what ends a line, and gives back what was collected, which may hold the new delimiter.
    public mutating func setDelimiter(_ delimiter: LineDelimiter) -> [UInt8] {
        self.delimiter = delimiter
        tail = []
        return takeUnfinishedBytes()
    }

    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    public mutating func reset() {
        phase = .line
        collected = []
        tail = []
    }

    public var unfinishedBytes: [UInt8] {
        // A line that is rejected or skipped has no bytes to give.
        if case .line = phase { collected } else { [] }
    }

    public mutating func takeUnfinishedBytes() -> [UInt8] {
        // No reset: a line that is being skipped is skipped to its end.
        defer { collected = [] }
        return unfinishedBytes
    }

    public var unfinishedByteCount: Int {
        switch phase {
        case .line: collected.count
        case .discarding: max(1, tail.count)
        case .discarded, .rejected: 0
        }
    }

    /// Whether the next byte begins a line.
    var isAtBoundary: Bool {
        if case .line = phase { collected.isEmpty } else { false }
    }

    public func encode(_ line: Span<UInt8>, into output: inout [UInt8]) {
        output.append(copying: line)
        output += delimiter.bytes
    }

    @inline(__always)
    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        if isAtBoundary, scanned <= position {
            switch rule.line(in: input, from: position) {
            case .line(let end, let next) where end &- position <= lengthMax:
                let start = position
                position = next
                return .frame(start..<end)
            case .nothing: scanned = input.count
            default: break
            }
        }
        return findNext(in: input, at: &position)
    }

    /// The same for every case.
    @inline(never)
    private mutating func findNext(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        switch phase {
        case .line: break
        case .discarding: if !skipRest(of: input, at: &position) { return .needsMore }
        case .discarded: reset()
        case .rejected(let rejection): return .rejected(rejection)
        }
        let unscanned = max(position, scanned)
        scanned = 0
        guard let end = Self.end(of: delimiter, in: input, from: position, searching: unscanned, after: collected) else {
            return collectRest(of: input, at: &position)
        }
        let start = position
        guard collected.count + end.line - start <= lengthMax else {
            return rejectLine(in: input, at: &position, upTo: end.line, next: end.next)
        }
        position = end.next
        guard !collected.isEmpty else { return .frame(start..<end.line) }
        if end.line >= start {
            collected.append(copying: input.extracting(start..<end.line))
        } else {
            // The delimiter began in what was collected.
            collected.removeLast(start - end.line)
        }
        return .collectedFrame
    }

    /// Where a line ends, which may be before `start`, in what came earlier, and where the next one begins.
    ///
    /// The delimiter's last byte is what is searched for, so that a delimiter split between two inputs needs no second look at the first.
    private static func end(
        of delimiter: LineDelimiter, in input: Span<UInt8>, from start: Int, searching unscanned: Int, after earlier: [UInt8]
    ) -> (line: Int, next: Int)? {
        let count = delimiter.bytes.count
        var from = unscanned
        while let last = input.firstPosition(of: delimiter.bytes[count - 1], from: from) {
            let isWhole = (1..<max(1, count)).allSatisfy { back in
                let index = last - back
                let earlierIndex = earlier.count + index - start
                guard earlierIndex >= 0 else { return false }
                let byte = index >= start ? input[index] : earlier[earlierIndex]
                return byte == delimiter.bytes[count - 1 - back]
            }
            if isWhole { return (last + 1 - count, last + 1) }
            if delimiter.takesLoneLineFeed { return (last, last + 1) }
            from = last + 1
        }
        return nil
    }

    private mutating func collectRest(of input: Span<UInt8>, at position: inout Int) -> FramerStep {
        // Nothing is added to the limit, which may be the greatest number.
        guard collected.count + input.count - position - (delimiter.bytes.count - 1) <= lengthMax else {
            return rejectLine(in: input, at: &position, upTo: input.count, next: nil)
        }
        collected.append(copying: input.extracting(position...))
        position = input.count
        streamOffset += input.count
        return .needsMore
    }

    /// Gives up a line that is too long. Where it is rejected, nothing of the input is consumed.
    private mutating func rejectLine(in input: Span<UInt8>, at position: inout Int, upTo end: Int, next: Int?) -> FramerStep {
        let start = position
        let offset = streamOffset + start - collected.count + lengthMax
        let rejection = Rejection(.lineTooLong(lengthMax: lengthMax), offset: offset)
        guard overlong == .discard else {
            phase = .rejected(rejection)
            return .rejected(rejection)
        }
        position = next ?? input.count
        if next == nil {
            phase = .discarding
            keepTail(of: input, from: start, after: collected)
        } else {
            phase = .discarded
            // The delimiter may have begun in what was collected.
            collected.removeLast(max(0, start - end))
        }
        return .skipped(rejection, start..<max(start, end))
    }

    /// Skips to the end of a line that is too long; false where it is still to come.
    private mutating func skipRest(of input: Span<UInt8>, at position: inout Int) -> Bool {
        // Whoever was told of the line has had the time to take its beginning.
        collected = []
        guard let end = Self.end(of: delimiter, in: input, from: position, searching: position, after: tail) else {
            keepTail(of: input, from: position, after: tail)
            position = input.count
            streamOffset += input.count
            return false
        }
        position = end.next
        reset()
        return true
    }

    /// Keeps as many of the last bytes as a delimiter's beginning may have.
    private mutating func keepTail(of input: Span<UInt8>, from start: Int, after earlier: [UInt8]) {
        let wanted = delimiter.bytes.count - 1
        let fromInput = min(wanted, input.count - start)
        tail = Array(earlier.suffix(wanted - fromInput))
        tail.append(copying: input.extracting((input.count - fromInput)...))
    }
}
