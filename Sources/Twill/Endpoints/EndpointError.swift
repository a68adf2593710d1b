/// Why the description of an endpoint was refused: which part of it, where, and what belongs there.
///
/// ```
/// tcp:abc: "abc" at character 4 is no port: give a number from 0 to 65535
/// ```
public struct EndpointError: Error, Hashable, Sendable {
    /// The whole description.
    public let text: String
    /// The part that is wrong; empty where something is missing.
    public let token: String
    /// Where it begins in the description, in Unicode scalars from 0.
    public let offset: Int
    /// What is wrong with it, and what would be right.
    public let reason: String

    /// Makes an error about a part of a description.
    public init(_ text: String, _ token: String, at offset: Int, _ reason: String) {
        self.text = text
        self.token = token
        self.offset = offset
        self.reason = reason
    }
}

extension EndpointError: CustomStringConvertible {
    public var description: String { "\(text): \"\(token)\" at character \(offset) \(reason)" }
}
