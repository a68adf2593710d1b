/// An immutable run of bytes that many connections can send without a copy for each.
///
/// A broadcast to a thousand connections writes the same `SharedBytes` to each: what a socket takes at once goes straight from this
/// memory, and what it does not take waits by reference, not by copy.
///
/// ```swift
/// let message = SharedBytes("hello\r\n")
/// for member in members { member.transport.write(message) }
/// ```
///
/// Safe to hand to another thread: nothing can change it.
public struct SharedBytes: Sendable {
    package let bytes: [UInt8]

    /// Takes the bytes; an array is shared, not copied.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Copies the bytes of any sequence.
    public init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// Copies the text's UTF-8.
    public init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// How many bytes there are.
    public var count: Int { bytes.count }

    /// Lends the bytes.
    public func withSpan<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
        let span = bytes.span
        return try body(span)
    }
}
