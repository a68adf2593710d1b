extension String {
    /// Text from bytes that must be UTF-8: what to use where damaged text must not go further.
    ///
    /// ```swift
    /// final class Greeter: LineReceiver {
    ///     override func lineReceived(_ line: Span<UInt8>) throws { sendLine("hello, \(try String(validating: line))") }
    /// }
    /// ```
    ///
    /// - Throws: ``Rejection`` with ``Rejection/Reason/notUTF8``. Thrown on from a callback it closes the connection, as any other input that
    ///   breaks the rules does.
    public init(validating bytes: Span<UInt8>) throws(Rejection) {
        do throws(UTF8.ValidationError) {
            self.init(copying: try UTF8Span(validating: bytes))
        } catch {
            throw Rejection(.notUTF8, offset: error.byteOffsets.lowerBound)
        }
    }

    /// Text from bytes of any kind: what is no UTF-8 becomes U+FFFD, the replacement character. What to use for logs and for people.
    public init(repairing bytes: Span<UInt8>) {
        // The text copies the bytes before the loan ends.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
