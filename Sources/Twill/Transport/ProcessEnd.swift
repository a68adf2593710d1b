/// How a child process ended: what `processExited` and `processEnded` are told.
///
/// ```swift
/// final class Watched: ProcessProtocol {
///     override func processEnded(_ end: ProcessEnd) {
///         if !end.isClean { print(end) }  // "the process exited with status 3"
///     }
/// }
/// ```
///
/// Twisted: `ProcessDone`, `ProcessTerminated`.
public struct ProcessEnd: Error, Sendable {
    /// What is known of the end.
    public enum Status: Hashable, Sendable {
        /// It ended by itself, with this status: 0 for success.
        case exited(CInt)
        /// A signal ended it; whether the system wrote its memory to a file.
        case signalled(ProcessSignal, dumpedCore: Bool)
        /// It goes on: the reactor was stopped before it ended.
        case leftRunning
        /// It ended, and the system did not keep how: this process ignores SIGCHLD, or other code has waited for its children.
        case unknown
    }

    /// What is known of the end.
    public let status: Status

    /// What a callback of the ``ProcessProtocol`` threw, for which the process was ended.
    public let underlying: (any Error)?

    package init(_ status: Status, because underlying: (any Error)? = nil) {
        self.status = status
        self.underlying = underlying
    }

    /// Reads the number that the system's `wait` fills.
    package init(waitStatus: CInt) {
        let signal = waitStatus & 0x7F
        self.init(
            signal == 0
                ? .exited(waitStatus >> 8 & 0xFF)
                : .signalled(ProcessSignal(rawValue: signal), dumpedCore: waitStatus & 0x80 != 0))
    }

    /// The exit status, where it ended by itself.
    public var exitCode: CInt? { if case .exited(let code) = status { code } else { nil } }

    /// The signal that ended it, if one did.
    public var signal: ProcessSignal? { if case .signalled(let signal, _) = status { signal } else { nil } }

    /// Whether it ended by itself with status 0, and no callback failed.
    public var isClean: Bool { status == .exited(0) && underlying == nil }
}

extension ProcessEnd: Equatable {
    /// Two ends are equal whose status is.
    public static func == (left: ProcessEnd, right: ProcessEnd) -> Bool { left.status == right.status }
}

extension ProcessEnd: CustomStringConvertible {
    public var description: String {
        let sentence =
            switch status {
            case .exited(0): "the process ended in good order"
            case .exited(let code): "the process exited with status \(code)"
            case .signalled(let signal, let dumpedCore): "\(signal) ended the process\(dumpedCore ? ", and its memory was dumped" : "")"
            case .leftRunning: "the reactor was stopped, and the process goes on"
            case .unknown: "the process ended, and the system did not keep how: is SIGCHLD ignored?"
            }
        return underlying.map { "\(sentence), after a callback had failed: \($0)" } ?? sentence
    }
}
