/// A protocol that receives and sends netstrings: `5:hello,` (https://cr.yp.to/proto/netstrings.txt).
///
/// ```swift
/// final class Parrot: NetstringReceiver {
///     override func stringReceived(_ string: Span<UInt8>) { sendString(string) }
/// }
/// ```
///
/// # Contract
/// - What ``FrameReceiver`` says. The string is lent for the length of the call.
/// - The first byte that breaks the rules closes the connection; the reason holds a ``Rejection``. Nothing is delivered after it.
///
/// Twisted: `twisted.protocols.basic.NetstringReceiver`.
open class NetstringReceiver: FrameReceiver {
    private final var framer: NetstringFramer
    /// The framer's limit while it stands between two strings, kept apart so that a whole string costs no access to the framer; else -1.
    private final var limitAtBoundary: Int

    /// Makes a receiver; strings have at most 99999 bytes.
    public init(lengthMax: Int = 99_999) {
        framer = NetstringFramer(lengthMax: lengthMax)
        limitAtBoundary = lengthMax
        super.init()
    }

    /// The most bytes that a received string may have. It may be changed at any time. Twisted: `MAX_LENGTH`.
    public final var lengthMax: Int {
        get { framer.lengthMax }
        set {
            framer.lengthMax = newValue
            chooseWay()
        }
    }

    /// Called with each string.
    open func stringReceived(_ string: Span<UInt8>) throws {
        try stepState(string)
    }

    /// Sends a string in one write. Its length is not checked.
    public final func sendString(_ string: Span<UInt8>) {
        currentTransport?.writeNetstring(string)
    }

    /// Sends a string in one write.
    public final func sendString(_ string: [UInt8]) {
        let bytes = string.span
        sendString(bytes)
    }

    /// Sends a text's UTF-8 in one write.
    public final func sendString(_ string: String) {
        let utf8 = string.utf8Span
        let bytes = utf8.span
        sendString(bytes)
    }

    final override func parse(_ input: Span<UInt8>) throws {
        while mayDeliver {
            let start = position
            guard start < input.count else { return }
            if let string = NetstringFramer.wholeString(in: input, from: start, lengthMax: limitAtBoundary) {
                position = string.upperBound &+ 1
                try stringReceived(input.extracting(string))
            } else {
                try parseSlowly(input)
            }
        }
    }

    /// Chooses who finds the next string.
    private final func chooseWay() {
        limitAtBoundary = framer.isAtBoundary ? framer.lengthMax : -1
    }

    final override func nextFrame(in input: Span<UInt8>, at position: inout Int, streamOffset: Int) -> FramerStep {
        framer.streamOffset = streamOffset
        defer { chooseWay() }
        return framer.next(in: input, at: &position)
    }

    final override func deliver(_ frame: Span<UInt8>) throws { try stringReceived(frame) }

    final override func takeCollected() -> [UInt8] { framer.takeCollected() }

    final override var unfinishedBytes: [UInt8] { framer.unfinishedBytes }

    final override func takeUnfinishedBytes() -> [UInt8] {
        defer { chooseWay() }
        return framer.takeUnfinishedBytes()
    }

    open override var unfinishedByteCount: Int { framer.unfinishedByteCount }
}
