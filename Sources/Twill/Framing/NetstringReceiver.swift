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
/// - The first byte that breaks the rules closes the connection; the reason holds a ``FramingError``. Nothing is delivered after it.
///
/// Twisted: `twisted.protocols.basic.NetstringReceiver`.
open class NetstringReceiver: FrameReceiver {
    private final var framer: NetstringFramer
    /// The framer's limit while it stands between two strings, kept apart so that a whole string costs no access to the framer.
    private final var limitAtBoundary: Int?

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
            limitAtBoundary = framer.limitAtBoundary
        }
    }

    /// Called with each string.
    open func stringReceived(_ string: Span<UInt8>) throws {}

    /// Sends a string in one write. Its length is not checked.
    public final func sendString(_ string: Span<UInt8>) {
        guard let transport = currentTransport else { return }
        // The digits are made from the last one on, in front of the colon; 20 bytes hold any length and its colon.
        var header = InlineArray<20, UInt8>(repeating: UInt8(ascii: ":"))
        var first = 19
        var rest = string.count
        repeat {
            first -= 1
            header[first] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        let comma: InlineArray<1, UInt8> = [UInt8(ascii: ",")]
        transport.writeFrame(prefix: header.span.extracting(first...), body: string, suffix: comma.span)
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
            if let limitAtBoundary,
                let string = NetstringFramer.wholeString(in: input, from: start, lengthMax: limitAtBoundary)
            {
                position = string.upperBound + 1
                try stringReceived(input.extracting(string))
            } else {
                try parseSlowly(input)
            }
        }
    }

    /// Parses what needs the framer: a string that is split between inputs, or a peer that breaks the rules.
    @inline(never)
    private final func parseSlowly(_ input: Span<UInt8>) throws {
        var next = position
        let step = framer.next(in: input, at: &next)
        position = next
        limitAtBoundary = framer.limitAtBoundary
        switch step {
        case .string(let range): try stringReceived(input.extracting(range))
        case .collectedString: try deliverCollected()
        case .needsMore: return
        case .rejected(let error): reject(error)
        }
    }

    private final func deliverCollected() throws {
        let string = framer.takeCollected()
        let span = string.span
        try stringReceived(span)
    }

    final override func takeCollected() -> [UInt8] { framer.takeCollected() }

    final override var collectedBytes: [UInt8] { framer.collected }

    open override var unfinishedByteCount: Int { framer.unfinishedByteCount }
}
