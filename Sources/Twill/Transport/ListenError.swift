/// Why a port could not be opened.
///
/// Compare with `==` to ask for the kind. The description is a sentence with the address, the cause and what to do:
/// "Couldn't listen on 127.0.0.1:8007: address already in use; stop the other server or choose another port".
///
/// Twisted: `CannotListenError`.
public struct ListenError: Error, Sendable {
    private enum Kind: UInt8 {
        case addressInUse, addressNotAvailable, permissionDenied, badAddress, failed
    }

    private let kind: Kind

    /// The address that was to be listened on, as it was written.
    public let address: String

    /// The system call that failed, if one did.
    public let underlying: SystemError?

    /// The error number of that call, `EADDRINUSE` for example; nil where none failed.
    public var errno: CInt? { underlying?.errno }

    private init(_ kind: Kind, _ address: String = "", _ underlying: SystemError? = nil) {
        self.kind = kind
        self.address = address
        self.underlying = underlying
    }

    /// Another socket listens there already.
    public static let addressInUse = ListenError(.addressInUse)
    /// The address belongs to no interface of this machine.
    public static let addressNotAvailable = ListenError(.addressNotAvailable)
    /// The port is one that this user may not open; on most systems those below 1024.
    public static let permissionDenied = ListenError(.permissionDenied)
    /// The interface is not a literal IP address, or the port is not between 0 and 65535.
    public static let badAddress = ListenError(.badAddress)
    /// Anything else; ``underlying`` says what.
    public static let failed = ListenError(.failed)

    /// The same kind of error, with the address and the call that failed.
    package func on(_ address: String, because underlying: SystemError? = nil) -> ListenError {
        ListenError(kind, address, underlying)
    }
}

extension ListenError: Equatable {
    public static func == (left: ListenError, right: ListenError) -> Bool { left.kind == right.kind }
}

extension ListenError: CustomStringConvertible {
    public var description: String {
        let cause =
            switch kind {
            case .addressInUse: "address already in use; stop the other server or choose another port"
            case .addressNotAvailable: "this machine has no such address; use one of its own, or an empty interface for all"
            case .permissionDenied: "permission denied; choose a port above 1023 or start with the privilege to bind it"
            case .badAddress: "not a numeric IP address with a port from 0 to 65535"
            case .failed: underlying?.description ?? "the socket could not be opened"
            }
        return "Couldn't listen on \(address): \(cause)"
    }
}
