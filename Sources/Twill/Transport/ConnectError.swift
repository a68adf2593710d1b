#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a connection could not be made: what `clientConnectionFailed` is told.
///
/// Compare with `==` to ask for the kind; two errors of one kind are equal whatever address and cause they carry.
///
/// Twisted: `ConnectError` and its subclasses.
public struct ConnectError: Error, Sendable {
    private enum Kind: UInt8 {
        case refused, timedOut, unreachable, unknownHost, cancelled, cannotBind, failed
    }

    private let kind: Kind

    /// An address that was tried in vain.
    public struct Failure: Sendable, CustomStringConvertible {
        /// The address.
        public let address: Address
        /// What the system said.
        public let error: SystemError

        package init(address: Address, error: SystemError) {
            self.address = address
            self.error = error
        }

        public var description: String { "\(address): \(error)" }
    }

    /// Where the connection was meant to go, as it was written: `127.0.0.1:8007`, `example.com:80`.
    public let destination: String

    /// What became of each address that was tried, in the order in which they failed.
    public let failures: [Failure]

    /// The error beneath, if there is one: a ``SystemError``, a ``ResolveError``, or what `buildProtocol` threw.
    public let underlying: (any Error)?

    /// The error number of the system call that failed, `ECONNREFUSED` for example; nil where none did.
    public var errno: CInt? { (underlying as? SystemError)?.errno }

    private init(_ kind: Kind, _ destination: String = "", _ underlying: (any Error)? = nil, _ failures: [Failure] = []) {
        self.kind = kind
        self.destination = destination
        self.failures = failures
        self.underlying = underlying
    }

    /// Nobody listens there. Twisted: `ConnectionRefusedError`.
    public static let refused = ConnectError(.refused)
    /// No answer came within the connect timeout. Twisted: `TimeoutError`.
    public static let timedOut = ConnectError(.timedOut)
    /// There is no way to that network or host. Twisted: `NoRouteError`.
    public static let unreachable = ConnectError(.unreachable)
    /// The name has no address. Twisted: `DNSLookupError`.
    public static let unknownHost = ConnectError(.unknownHost)
    /// `stopConnecting` ended the attempt, or the reactor was stopped. Twisted: `UserError`.
    public static let cancelled = ConnectError(.cancelled)
    /// The local address that was asked for could not be bound. Twisted: `ConnectBindError`.
    public static let cannotBind = ConnectError(.cannotBind)
    /// Anything else; ``underlying`` says what.
    public static let failed = ConnectError(.failed)

    /// The same kind of error, with where the connection was meant to go and what lies beneath.
    package func to(_ destination: String, because underlying: (any Error)? = nil, failures: [Failure] = []) -> ConnectError {
        ConnectError(kind, destination, underlying ?? self.underlying, failures)
    }

    /// What several failures come to: the one that says most about whether there is a server.
    package static func allFailed(_ failures: [Failure]) -> ConnectError {
        let kinds: [(errors: [CInt], kind: Kind)] = [
            // Nobody listens where a UNIX socket is not.
            ([ECONNREFUSED, ENOENT], .refused), ([ETIMEDOUT], .timedOut), ([ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN], .unreachable),
        ]
        for (errors, kind) in kinds {
            if let failure = failures.first(where: { errors.contains($0.error.errno) }) { return ConnectError(kind, "", failure.error) }
        }
        return ConnectError(.failed, "", failures.last?.error)
    }
}

extension ConnectError: Equatable {
    public static func == (left: ConnectError, right: ConnectError) -> Bool { left.kind == right.kind }
}

extension ConnectError: CustomStringConvertible {
    public var description: String {
        let cause =
            switch kind {
            case .refused: "connection refused; is the server running?"
            case .timedOut: "no answer within the connect timeout"
            case .unreachable: "the network or host is unreachable"
            case .unknownHost: "the host name has no address"
            case .cancelled: "the attempt was cancelled"
            case .cannotBind: "the local address could not be bound"
            case .failed: "the attempt failed"
            }
        let place = destination.isEmpty ? "" : " to \(destination)"
        if failures.count > 1 {
            return "Couldn't connect\(place): \(cause) (\(failures.map(\.description).joined(separator: "; ")))"
        }
        switch kind {
        case .unknownHost, .cannotBind, .failed:
            return "Couldn't connect\(place): \(cause)\(underlying.map { " (\($0))" } ?? "")"
        case .refused, .timedOut, .unreachable, .cancelled:
            // The system's words would say the same again.
            return "Couldn't connect\(place): \(cause)"
        }
    }
}
