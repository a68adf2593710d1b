#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a process could not be started, or not be told something.
///
/// Compare with `==` to ask for the kind. The description is a sentence with the program, the cause and what to do: "Couldn't start sortt: there
/// is no such program; check the name and PATH".
///
/// Twisted: what `os.fork` and `os.execvpe` raise, and a child that ends at once with status 1; `ProcessExitedAlready`.
public struct ProcessError: Error, Sendable {
    private enum Kind: UInt8 {
        case notFound, notExecutable, badWorkingDirectory, noDescriptors, limitReached, badArgument, badDescriptor, protocolInUse,
            unsupported,
            stopping, ended, signalRefused, tooMuchOutput, timedOut, failed
    }

    private let kind: Kind

    /// What was to be started, as it was written.
    public let executable: String

    /// What the error is about, where that is not the program: a folder, an argument, a descriptor.
    public let detail: String

    /// The system call that failed, if one did.
    public let underlying: SystemError?

    /// The error number of that call, `ENOENT` for example; nil where none failed.
    public var errno: CInt? { underlying?.errno }

    private init(_ kind: Kind, _ executable: String = "", _ detail: String = "", _ underlying: SystemError? = nil) {
        self.kind = kind
        self.executable = executable
        self.detail = detail
        self.underlying = underlying
    }

    /// There is no such program, or a script's interpreter is missing.
    public static let notFound = ProcessError(.notFound)
    /// The file may not be run by this user, or is no program of this system.
    public static let notExecutable = ProcessError(.notExecutable)
    /// The working directory does not exist, is no folder, or may not be entered.
    public static let badWorkingDirectory = ProcessError(.badWorkingDirectory)
    /// This process, or the system, has no descriptor left for the pipes.
    public static let noDescriptors = ProcessError(.noDescriptors)
    /// This user, or the system, may have no more processes, or no memory is left.
    public static let limitReached = ProcessError(.limitReached)
    /// A text holds a NUL character, a variable's name is empty or holds `=`, or all of them together are too long for the system.
    public static let badArgument = ProcessError(.badArgument)
    /// A descriptor that the child was to inherit is not open, or the child's number for one is none from 0 to 255.
    public static let badDescriptor = ProcessError(.badDescriptor)
    /// The protocol is another process's already.
    public static let protocolInUse = ProcessError(.protocolInUse)
    /// The reactor is one that starts no processes.
    public static let unsupported = ProcessError(.unsupported)
    /// The reactor is stopping, and has closed what there was.
    public static let stopping = ProcessError(.stopping)
    /// The process has ended: it can't be sent a signal. Twisted: `ProcessExitedAlready`.
    public static let ended = ProcessError(.ended)
    /// There is no such signal, or the process has become another user's.
    public static let signalRefused = ProcessError(.signalRefused)
    /// The process said more than was to be collected, and was killed.
    public static let tooMuchOutput = ProcessError(.tooMuchOutput)
    /// The process took too long, and was killed.
    public static let timedOut = ProcessError(.timedOut)
    /// Anything else; ``underlying`` says what.
    public static let failed = ProcessError(.failed)

    /// The same kind of error, about a program.
    package func of(_ executable: String, _ detail: String = "", because underlying: SystemError? = nil) -> ProcessError {
        ProcessError(kind, executable, detail, underlying)
    }

    /// What a number means that the system gave for starting a program. Whether the working directory is at fault shows only when one looks.
    package static func spawning(_ error: SystemError) -> ProcessError {
        switch error.errno {
        case ENOENT, ENOTDIR: .notFound
        case EACCES, EPERM, ENOEXEC, EISDIR: .notExecutable
        case EMFILE, ENFILE: .noDescriptors
        case EAGAIN, ENOMEM: .limitReached
        case E2BIG: .badArgument
        case EBADF: .badDescriptor
        default: .failed
        }
    }
}

extension ProcessError: Equatable {
    public static func == (left: ProcessError, right: ProcessError) -> Bool { left.kind == right.kind }
}

extension ProcessError: CustomStringConvertible {
    public var description: String {
        let name = executable.isEmpty ? "the process" : executable
        return switch kind {
        case .ended: "Couldn't send a signal to \(name): it has ended already"
        case .signalRefused:
            "Couldn't send a signal to \(name): \(detail.isEmpty ? underlying?.description ?? "the system refused" : detail)"
        case .tooMuchOutput:
            "\(name) was killed: it said more than \(detail.isEmpty ? "was allowed" : detail); raise the limit or ask it for less"
        case .timedOut: "\(name) was killed: it took longer than \(detail.isEmpty ? "was allowed" : detail)"
        default: "Couldn't start \(name): \(cause)"
        }
    }

    private var cause: String {
        switch kind {
        case .notFound where executable.contains("/"):
            "there is no such file, or it is a script whose interpreter is missing; check the path and its first line"
        case .notFound: "there is no such program; check the name and PATH, or give its path"
        case .notExecutable: "the file is no program that this user may run; check its permissions"
        case .badWorkingDirectory: "\(detail) is no folder that this user may enter; make it or choose another working directory"
        case .noDescriptors: "no descriptors are left for its pipes; raise the limit (ulimit -n) or close some"
        case .limitReached: "the system has no room for one more process; raise the limit (ulimit -u) or wait for others to end"
        case .badArgument:
            detail.isEmpty ? "its arguments and environment are too long for the system; hand it a file" : "\(detail); leave that out"
        case .badDescriptor: "\(detail.isEmpty ? "a descriptor" : detail); give it one that is open"
        case .protocolInUse: "its protocol is another process's already; make one for each"
        case .stopping: "the reactor is stopping; start it before, or in the next run"
        case .unsupported: "this reactor starts no processes; use a LibeventReactor"
        case .ended, .signalRefused, .tooMuchOutput, .timedOut, .failed: underlying?.description ?? "the system refused"
        }
    }
}
