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
/// - A line longer than ``lengthMax`` is told once, to ``lineLengthExceeded(_:)``, which closes the connection unless it is overridden.
/// - Changing ``delimiter`` or ``lengthMax`` in a callback counts from the next byte on.
/// - An unfinished line is not delivered when the connection ends; ``FrameReceiver/unreadBytes`` has it.
///
/// Twisted: `twisted.protocols.basic.LineReceiver`; `LineOnlyReceiver` is the same here.
open class LineReceiver: FrameReceiver {
    private final var framer: LineFramer
    /// The framer's rule while it can find a line by itself, kept apart so that a line costs no access to the framer.
    private final var rule: LineRule?
    private final var isRaw = false

    /// Makes a receiver; lines end with CR LF and have at most 16384 bytes.
    ///
    /// - Precondition: the delimiter is not empty.
    public init(delimiter: [UInt8] = [13, 10], lengthMax: Int = 16384) {
        framer = LineFramer(delimiter: delimiter, lengthMax: lengthMax)
        rule = framer.rule
        super.init()
    }

    /// What ends a line, received or sent; never empty. It may be changed at any time.
    public final var delimiter: [UInt8] {
        get { framer.delimiter }
        set {
            let collected = framer.setDelimiter(newValue)
            rule = framer.rule
            if !collected.isEmpty { putBack(collected.span) }
        }
    }

    /// The most bytes that a received line may have. It may be changed at any time. Twisted: `MAX_LENGTH`.
    public final var lengthMax: Int {
        get { framer.lengthMax }
        set {
            framer.lengthMax = newValue
            rule = framer.rule
        }
    }

    /// Called with each line.
    open func lineReceived(_ line: Span<UInt8>) throws {}

    /// Called in raw mode with whatever arrives; never empty.
    open func rawDataReceived(_ data: Span<UInt8>) throws {}

    /// Called once for a line that is too long, with what has arrived of it and everything behind it; closes the connection.
    ///
    /// An override that does not close may call ``setLineMode(_:)`` with the part it can make sense of; without it, reading goes on with the
    /// next bytes that arrive.
    open func lineLengthExceeded(_ line: Span<UInt8>) throws {
        reject(.lineTooLong(lengthMax: lengthMax))
    }

    /// Sends a line and the delimiter, in one write. Its length is not checked.
    public final func sendLine(_ line: Span<UInt8>) {
        guard let transport = currentTransport else { return }
        if let rule {
            rule.withDelimiter { transport.writeFrame(prefix: Span(), body: line, suffix: $0) }
        } else {
            let delimiter = framer.delimiter
            transport.writeFrame(prefix: Span(), body: line, suffix: delimiter.span)
        }
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
    public final func setRawMode() {
        isRaw = true
    }

    /// Delivers lines again.
    ///
    /// - Parameter extra: bytes to go in front of what has not been read yet; usually the part of the raw data that was too much.
    /// - Throws: outside of a callback, what the callbacks of the delivered lines throw.
    public final func setLineMode(_ extra: Span<UInt8> = Span()) throws {
        isRaw = false
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
            if isRaw {
                position = input.count
                try rawDataReceived(input.extracting(start...))
            } else if let rule, let line = rule.line(in: input, from: start) {
                position = rule.position(behind: line)
                try lineReceived(input.extracting(line))
            } else {
                try parseSlowly(input)
            }
        }
    }

    /// Parses what needs the framer: a line that is split between inputs, or too long.
    @inline(never)
    private final func parseSlowly(_ input: Span<UInt8>) throws {
        var next = position
        let step = framer.next(in: input, at: &next)
        position = next
        rule = framer.rule
        switch step {
        case .line(let range): try lineReceived(input.extracting(range))
        case .collectedLine: try deliverCollected()
        case .needsMore: return
        case .tooLong: try tellTooLong(input)
        }
    }

    private final func deliverCollected() throws {
        let line = takeCollected()
        let span = line.span
        try lineReceived(span)
    }

    private final func tellTooLong(_ input: Span<UInt8>) throws {
        let start = position
        position = input.count
        let collected = takeCollected()
        guard !collected.isEmpty else { return try lineLengthExceeded(input.extracting(start...)) }
        var line = collected
        line.append(input.extracting(start...))
        let span = line.span
        try lineLengthExceeded(span)
    }

    final override func takeCollected() -> [UInt8] {
        defer { rule = framer.rule }
        return framer.takeCollected()
    }

    final override var collectedBytes: [UInt8] { framer.collected }

    // Whoever changes to raw bytes in the middle of a line does not wait for its end.
    open override var unfinishedByteCount: Int { isRaw ? 0 : framer.collected.count }
}
