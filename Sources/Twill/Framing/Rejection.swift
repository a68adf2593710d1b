/// How the peer broke the rules of a framing, and where.
///
/// A framer returns it, and a receiver closes the connection with it: it is the ``ConnectionLost/underlying`` error of a
/// ``ConnectionLost/badInput``. A protocol of your own may throw it from a callback to the same effect.
public struct Rejection: Error, Hashable, Sendable {
    /// The rule that was broken.
    public enum Reason: Hashable, Sendable {
        /// A line was longer than the limit, in bytes.
        case lineTooLong(lengthMax: Int)
        /// A netstring or a string with a length prefix announced more bytes than the limit.
        case stringTooLong(lengthMax: Int)
        /// A netstring's length was no decimal number without leading zeros, or no colon followed it.
        case badNetstringLength
        /// A netstring did not end with a comma.
        case missingComma
        /// What should be text is no UTF-8.
        case notUTF8
        /// A rule of your own, in words: "the first line must be HELLO".
        case other(String)
    }

    /// The rule that was broken.
    public let reason: Reason

    /// Where: how many bytes of the stream came before the first one that broke the rule. It does not depend on how the stream was cut into
    /// pieces. Text that is no UTF-8 is counted from its own beginning.
    public let offset: Int

    /// Makes a rejection.
    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension Rejection: CustomStringConvertible {
    /// A sentence that names the rule, the limit and the place.
    public var description: String {
        let sentence =
            switch reason {
            case .lineTooLong(let lengthMax): "the peer sent a line of more than \(lengthMax) bytes (lengthMax)"
            case .stringTooLong(let lengthMax): "the peer announced a string of more than \(lengthMax) bytes (lengthMax)"
            case .badNetstringLength: "the peer sent something other than a netstring's length and colon"
            case .missingComma: "the peer sent a netstring that does not end with a comma"
            case .notUTF8: "the peer sent text that is no UTF-8"
            case .other(let sentence): sentence
            }
        return "\(sentence), at byte \(offset)"
    }
}
