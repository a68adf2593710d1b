import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a program could not be started: one sentence for a person, and an exit status for a program.
///
/// Throw one from a service's start to choose the status.
public struct RunnerFailure: Error, CustomStringConvertible, Sendable {
    /// What the process ends with.
    public let status: ExitStatus
    /// The sentence.
    public let description: String

    /// A failure with a status and a sentence, without a full stop.
    public init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }

    /// The same of any error that ended the start.
    init(_ error: any Error) {
        switch error {
        case let failure as RunnerFailure: self = failure
        case let error as ListenError: self.init(Self.status(of: error), "\(error)")
        case is EndpointError: self.init(.configuration, "\(error)")
        case let error as SystemError: self.init(Self.status(ofErrno: error.errno), "\(error)")
        default: self.init(.software, "\(error)")
        }
    }

    /// A call on a file that failed.
    init(_ what: String, _ error: SystemError) {
        self.init(Self.status(ofErrno: error.errno), "\(what): \(error.message)")
    }

    private static func status(of error: ListenError) -> ExitStatus {
        switch error {
        case .addressInUse, .addressNotAvailable: .unavailable
        case .permissionDenied: .noPermission
        case .missingFolder, .notASocket: .cannotCreate
        case .badAddress, .badPath, .notAListener, .alreadyServed: .configuration
        default: .systemError
        }
    }

    private static func status(ofErrno number: CInt) -> ExitStatus {
        switch number {
        case EACCES, EPERM, EROFS: .noPermission
        case ENOENT, ENOTDIR, EEXIST, ELOOP, EISDIR, ENAMETOOLONG: .cannotCreate
        default: .systemError
        }
    }
}
