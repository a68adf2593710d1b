/// A protocol that receives lines, and raw bytes in between where it asks for them.
///
/// ```swift
/// final class Shout: LineReceiver {
///     override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
/// }
/// ```
///
/// # Contract
/// - What ``FrameReceiver`` says. The delimiter is not part of the line, and the line is lent for the length of the call.
/// - A line longer than ``lengthMax`` is told once, to ``lineLengthExceeded(_:)``, which closes the connection unless it is overridden or
///   ``overlong`` says to skip such lines.
/// - Changing ``delimiter`` or ``lengthMax`` in a callback counts from the next byte on.
/// - An unfinished line is not delivered when the connection ends; ``FrameReceiver/unreadBytes`` has it.
///
/// Twisted: `twisted.protocols.basic.LineReceiver`; `LineOnlyReceiver` is the same here.
open class LineReceiver: FrameReceiver {
    private final var framer: LineFramer
    /// The framer's rule, kept apart so that a line costs no access to the framer; enabled while it can find a line by itself.
    private final var rule: LineRule
    /// The delimiter as it is sent, where it fits; else nothing.
    private final var edge: FrameEdge
    private final var isRaw = false
    /// Where the line that ``lineLengthExceeded(_:)`` was told of last passed the limit.
    private final var overlongOffset = 0

    /// Makes a receiver; lines end with CR LF and have at most 16384 bytes, and longer ones close the connection.
    public init(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384, overlong: OverlongLines = .reject) {
        framer = LineFramer(delimiter: delimiter, lengthMax: lengthMax, overlong: overlong)
        rule = LineRule(delimiter, lengthMax: lengthMax)
        edge = FrameEdge(delimiter.bytes) ?? .none
        super.init()
    }

    /// What ends a line, received or sent. It may be changed at any time.
    public final var delimiter: LineDelimiter {
        get { framer.delimiter }
        set {
            let collected = framer.setDelimiter(newValue)
            rule = LineRule(newValue, lengthMax: lengthMax)
            edge = FrameEdge(newValue.bytes) ?? .none
            chooseWay()
            if !collected.isEmpty { putBack(collected.span) }
        }
    }

    /// The most bytes that a received line may have. It may be changed at any time. Twisted: `MAX_LENGTH`.
    public final var lengthMax: Int {
        get { framer.lengthMax }
        set {
            framer.lengthMax = newValue
            rule.lengthMax = newValue
        }
    }

    /// What happens to a line that is longer than ``lengthMax``. It may be changed at any time.
    public final var overlong: OverlongLines {
        get { framer.overlong }
        set { framer.overlong = newValue }
    }

    /// Called with each line.
    open func lineReceived(_ line: Span<UInt8>) throws {
        try stepState(line)
    }

    /// Called in raw mode with whatever arrives; never empty.
    open func rawDataReceived(_ data: Span<UInt8>) throws {}

    /// Called once for a line that is too long; closes the connection unless such lines are discarded.
    ///
    /// The bytes are what has arrived of the line, and everything behind it unless such lines are discarded. An override that
    /// does not close may call ``setLineMode(_:)`` with the part it can make sense of; without it, reading goes on with the next bytes that
    /// arrive.
    open func lineLengthExceeded(_ line: Span<UInt8>) throws {
        guard overlong == .reject else { return }
        finish()
        try inputRejected(Rejection(.lineTooLong(lengthMax: lengthMax), offset: overlongOffset))
    }

    /// Sends a line and the delimiter, in one write. Neither its length is checked nor whether it holds a delimiter.
    public final func sendLine(_ line: Span<UInt8>) {
        let edge = edge
        guard edge.count > 0 else { return sendEncoded(line) }
        writeFrame(prefix: .none, body: line, suffix: edge)
    }

    @inline(never)
    private final func sendEncoded(_ line: Span<UInt8>) {
        var bytes: [UInt8] = []
        framer.encode(line, into: &bytes)
        currentTransport?.write(bytes)
    }

    /// Sends a line and the delimiter, in one write.
    public final func sendLine(_ line: [UInt8]) {
        let bytes = line.span
        sendLine(bytes)
    }

    /// Sends a line as UTF-8 and the delimiter, in one write.
    public final func sendLine(_ line: String) {
        let utf8 = line.utf8Span
        let bytes = utf8.span
        sendLine(bytes)
    }

    /// Delivers everything behind the current line to ``rawDataReceived(_:)``, until ``setLineMode(_:)``.
    ///
    /// In the middle of a line, the part of it that has arrived comes with the next bytes.
    public final func setRawMode() {
        let collected = framer.takeUnfinishedBytes()
        isRaw = true
        // What follows the raw bytes is no rest of a line that is being skipped.
        framer.reset()
        chooseWay()
        if !collected.isEmpty { putBack(collected.span) }
    }

    /// Delivers lines again.
    ///
    /// - Parameter extra: bytes to go in front of what has not been read yet; usually the part of the raw data that was too much.
    /// - Throws: outside of a callback, what the callbacks of the delivered lines throw.
    public final func setLineMode(_ extra: Span<UInt8> = Span()) throws {
        isRaw = false
        chooseWay()
        if !extra.isEmpty { putBack(extra) }
        try continueParsing()
    }

    /// Takes away what has arrived and was not delivered. Twisted: `clearLineBuffer`.
    public final func clearLineBuffer() -> [UInt8] {
        takeUnreadBytes()
    }

    final override func parse(_ input: Span<UInt8>) throws {
        while mayDeliver {
            let start = position
            guard start < input.count else { return }
            switch rule.line(in: input, from: start) {
            case .line(let end, let next) where end &- start <= rule.lengthMax:
                position = next
                try lineReceived(input.extracting(start..<end))
            case .nothing:
                // What was searched in vain is not searched again.
                framer.scanned = input.count
                try parseSlowly(input)
            default:
                try isRaw ? takeRaw(input) : parseSlowly(input)
            }
        }
    }

    private final func takeRaw(_ input: Span<UInt8>) throws {
        let start = position
        position = input.count
        try rawDataReceived(input.extracting(start...))
    }

    /// Chooses who finds the next line.
    private final func chooseWay() {
        rule.enable(!isRaw && framer.isAtBoundary)
    }

    final override func nextFrame(in input: Span<UInt8>, at position: inout Int, streamOffset: Int) -> FramerStep {
        framer.streamOffset = streamOffset
        defer { chooseWay() }
        return framer.next(in: input, at: &position)
    }

    final override func deliver(_ frame: Span<UInt8>) throws { try lineReceived(frame) }

    final override func tellSkipped(_ rejection: Rejection, _ part: Span<UInt8>) throws {
        let collected = framer.takeCollected()
        try tellTooLong(rejection, collected, part)
    }

    // An override may go on with other lines, and so the framer does.
    final override func tellRejected(_ rejection: Rejection, _ input: Span<UInt8>) throws {
        let start = position
        position = input.count
        let collected = takeCollected()
        framer.reset()
        chooseWay()
        try tellTooLong(rejection, collected, input.extracting(start...))
    }

    private final func tellTooLong(_ rejection: Rejection, _ start: [UInt8], _ rest: Span<UInt8>) throws {
        overlongOffset = rejection.offset
        guard !start.isEmpty else { return try lineLengthExceeded(rest) }
        var line = start
        line.append(copying: rest)
        try lineLengthExceeded(line.span)
    }

    final override func takeCollected() -> [UInt8] { framer.takeCollected() }

    final override var unfinishedBytes: [UInt8] { framer.unfinishedBytes }

    final override func takeUnfinishedBytes() -> [UInt8] {
        defer { chooseWay() }
        return framer.takeUnfinishedBytes()
    }

    // Whoever changes to raw bytes in the middle of a line does not wait for its end.
    open override var unfinishedByteCount: Int { isRaw ? 0 : framer.unfinishedByteCount }
}
