/// Why a port could not be opened.
///
/// Compare with `==` to ask for the kind. The description is a sentence with the address, the cause and what to do:
/// "Couldn't listen on 127.0.0.1:8007: address already in use; stop the other server or choose another port".
///
/// Twisted: `CannotListenError`.
public struct ListenError: Error, Sendable {
    private enum Kind: UInt8 {
        case addressInUse, addressNotAvailable, permissionDenied, badAddress, badPath, notASocket, missingFolder, notAListener,
            alreadyServed, failed
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
    /// The path of a UNIX socket is empty or too long, or this system has no names that begin with `@`.
    public static let badPath = ListenError(.badPath)
    /// A file that is no socket is where the UNIX socket should be; it was not touched.
    public static let notASocket = ListenError(.notASocket)
    /// The folder of the UNIX socket does not exist.
    public static let missingFolder = ListenError(.missingFolder)
    /// The descriptor that was handed down is no listening stream socket.
    public static let notAListener = ListenError(.notAListener)
    /// Standard input and output are one connection, and it has been served. Twisted: `AlreadyListened`.
    public static let alreadyServed = ListenError(.alreadyServed)
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
    private var isPath: Bool { address.hasPrefix("/") || address.hasPrefix("@") || address.hasPrefix(".") }

    private var thing: String { isPath ? "path" : "port" }

    public var description: String {
        let cause =
            switch kind {
            case .addressInUse: "address already in use; stop the other server or choose another \(thing)"
            case .addressNotAvailable: "this machine has no such address; use one of its own, or an empty interface for all"
            case .permissionDenied where isPath: "permission denied; choose a folder that this user may write to"
            case .permissionDenied: "permission denied; choose a port above 1023 or start with the privilege to bind it"
            case .badAddress: "not a numeric IP address with a port from 0 to 65535"
            case .badPath:
                "a UNIX socket's path has 1 to \(Address.pathBytesMax) bytes, not \(address.utf8.count); names that begin with @ need Linux"
            case .notASocket: "a file that is no socket is there, and stays; remove it or choose another path"
            case .missingFolder: "there is no such folder; make it or choose another path"
            case .notAListener: "the descriptor is no listening stream socket; is it open, and was listen called on it?"
            case .alreadyServed: "it is one connection, which has been served already; serve it once in the life of a process"
            case .failed: underlying?.description ?? "the socket could not be opened"
            }
        return "Couldn't listen on \(address): \(cause)"
    }
}
