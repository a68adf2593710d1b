/// A system call that failed: which one, with what error number, and the system's own words for it.
public struct SystemError: Error, Hashable, Sendable {
    /// The call, by its C name: `recv`, `bind`.
    public let call: String
    /// The error number that the call left behind: `ECONNRESET`, `EADDRINUSE`.
    public let errno: CInt
    /// The system's words for the number, with a small first letter: "connection reset by peer".
    public let message: String

    package init(call: String, errno: CInt, message: String) {
        self.call = call
        self.errno = errno
        self.message = message
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String { "\(message) (\(call), errno \(errno))" }
}
