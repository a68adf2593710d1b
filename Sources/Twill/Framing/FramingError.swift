/// How a peer broke the rules of a framing; it is the ``ConnectionLost/underlying`` error of the loss that follows.
public enum FramingError: Error, Hashable, Sendable {
    /// A line was longer than the receiver's limit, in bytes.
    case lineTooLong(lengthMax: Int)
    /// A netstring announced more bytes than the receiver's limit.
    case netstringTooLong(lengthMax: Int)
    /// A netstring's length was no decimal number without leading zeros, or no colon followed it.
    case badNetstringLength
    /// A netstring did not end with a comma.
    case missingComma
}

extension FramingError: CustomStringConvertible {
    /// A sentence that names the rule and the limit.
    public var description: String {
        switch self {
        case .lineTooLong(let lengthMax): "the peer sent a line of more than \(lengthMax) bytes"
        case .netstringTooLong(let lengthMax): "the peer announced a netstring of more than \(lengthMax) bytes"
        case .badNetstringLength: "the peer sent something other than a netstring's length and colon"
        case .missingComma: "the peer sent a netstring that does not end with a comma"
        }
    }
}
