/// A protocol that takes open files, sockets and other descriptors which its peer sends along with bytes, over a UNIX socket.
///
/// ```swift
/// final class Worker: Protocol, DescriptorReceiver {
///     func descriptorReceived(_ descriptor: CInt) throws {
///         try transport.reactor.adoptStreamConnection(descriptor, factory: Factory { Echo() })
///     }
/// }
/// ```
///
/// # Contract
/// - Each descriptor comes once, in the order in which they were sent, before the `dataReceived` that brings the first byte it was sent with. Bytes that
///   were sent before may be in the same piece: where it matters which message a descriptor belongs to, let the message say how many it has.
/// - It is this protocol's from then on: close it, or give it to somebody who does. It is closed on exec.
/// - Descriptors that nobody takes never get open here: those sent to another protocol, and those that come with what a closing connection drops.
/// - Where the process may open no more files, a descriptor can't arrive: the connection closes, because the two sides would no longer mean the
///   same.
///
/// ``Transport/write(_:passing:)`` sends them. Twisted: `IFileDescriptorReceiver`.
public protocol DescriptorReceiver: Protocol {
    /// Called with a descriptor that the peer has sent.
    ///
    /// An error is logged and closes the connection. The descriptor is yours all the same.
    func descriptorReceived(_ descriptor: CInt) throws
}

/// Why descriptors were not sent.
public enum DescriptorPassingError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The connection is none of a UNIX socket's.
    case notUNIX
    /// There was no byte to send them with; the peer would not get them.
    case noBytes
    /// They are more than ``descriptorsMax``, which the system sends at once.
    case tooMany(Int)
    /// One of them is not open, or the process has no room for a copy.
    case refused(CInt, SystemError)

    /// The most descriptors that one write may pass.
    public static let descriptorsMax = 253

    public var description: String {
        switch self {
        case .notUNIX: "descriptors can only be passed over a UNIX socket"
        case .noBytes: "descriptors travel with bytes: write at least one"
        case .tooMany(let count): "\(count) descriptors are too many for one write: pass at most \(Self.descriptorsMax)"
        case .refused(let descriptor, let error): "descriptor \(descriptor) can't be passed: \(error)"
        }
    }
}
