/// A protocol that receives and sends strings with their length in front of them.
///
/// ```swift
/// final class Parrot: Int32StringReceiver {
///     override func stringReceived(_ string: Span<UInt8>) throws { try sendString(string) }
/// }
/// ```
///
/// Subclass ``Int8StringReceiver``, ``Int16StringReceiver``, ``Int32StringReceiver`` or ``Int64StringReceiver``; or this one, for a length whose
/// least significant byte comes first.
///
/// # Contract
/// - What ``FrameReceiver`` says. The string is lent for the length of the call.
/// - A length above ``lengthMax`` closes the connection, as soon as its last byte is there and before anything is stored; the reason holds a
///   ``Rejection``.
///
/// Twisted: `twisted.protocols.basic.IntNStringReceiver`.
open class LengthPrefixReceiver: FrameReceiver {
    private final var framer: LengthPrefixFramer
    /// The framer's rules, kept apart so that a whole string costs no access to the framer. The limit is -1 while it stands inside a string.
    private final let prefix: LengthPrefix
    private final var limitAtBoundary: Int

    /// Makes a receiver; strings have at most 99999 bytes.
    public init(prefix: LengthPrefix, lengthMax: Int = 99_999) {
        framer = LengthPrefixFramer(prefix, lengthMax: lengthMax)
        self.prefix = prefix
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

    /// Sends a string in one write. ``lengthMax`` is not checked; only what the prefix can't express is refused.
    ///
    /// - Throws: ``StringTooLong``; nothing is sent then.
    public final func sendString(_ string: Span<UInt8>) throws {
        guard string.count <= prefix.lengthMax else { try refuse(string.count) }
        writeFrame(prefix: prefix.edge(string.count), body: string, suffix: .none)
    }

    @inline(never)
    private final func refuse(_ count: Int) throws -> Never {
        throw StringTooLong(count: count, prefix: prefix)
    }

    /// Sends a string in one write.
    public final func sendString(_ string: [UInt8]) throws {
        let bytes = string.span
        try sendString(bytes)
    }

    /// Sends a text's UTF-8 in one write.
    public final func sendString(_ string: String) throws {
        let utf8 = string.utf8Span
        let bytes = utf8.span
        try sendString(bytes)
    }

    final override func parse(_ input: Span<UInt8>) throws {
        while mayDeliver {
            let start = position
            guard start < input.count else { return }
            if let string = LengthPrefixFramer.wholeString(in: input, from: start, prefix: prefix, lengthMax: limitAtBoundary) {
                position = string.upperBound
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

/// A string that was to be sent has more bytes than its length prefix can say.
public struct StringTooLong: Error, Hashable, CustomStringConvertible {
    /// How many bytes the string has.
    public let count: Int
    /// How its length would have been written.
    public let prefix: LengthPrefix

    public var description: String {
        "a string of \(count) bytes can't be sent: a length of \(prefix.byteCount) bytes says at most \(prefix.lengthMax)"
    }
}

/// Receives strings with a length of one byte: they have at most 255 bytes. Twisted: `Int8StringReceiver`.
open class Int8StringReceiver: LengthPrefixReceiver {
    /// Makes a receiver.
    public init(lengthMax: Int = 255) { super.init(prefix: .uint8, lengthMax: lengthMax) }
}

/// Receives strings with a length of two bytes in network byte order: they have at most 65535 bytes. Twisted: `Int16StringReceiver`.
open class Int16StringReceiver: LengthPrefixReceiver {
    /// Makes a receiver.
    public init(lengthMax: Int = 65_535) { super.init(prefix: .uint16, lengthMax: lengthMax) }
}

/// Receives strings with a length of four bytes in network byte order. Twisted: `Int32StringReceiver`.
open class Int32StringReceiver: LengthPrefixReceiver {
    /// Makes a receiver; strings have at most 99999 bytes.
    public init(lengthMax: Int = 99_999) { super.init(prefix: .uint32, lengthMax: lengthMax) }
}

/// Receives strings with a length of eight bytes in network byte order. Twisted has none.
open class Int64StringReceiver: LengthPrefixReceiver {
    /// Makes a receiver; strings have at most 99999 bytes.
    public init(lengthMax: Int = 99_999) { super.init(prefix: .uint64, lengthMax: lengthMax) }
}
