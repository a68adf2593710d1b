/// What the process tells its parent when it ends: the numbers of `sysexits.h`, and what a shell makes of a signal.
///
/// | status | meaning |
/// |---|---|
/// | 0 | it was stopped, by SIGTERM or by itself, and everything under way came to its end, or to the end of the drain |
/// | 64 | the command line is wrong; nothing was started |
/// | 67 | there is no such user or group |
/// | 69 | something is not to be had: an address is in use, another process holds the pid file |
/// | 70 | something failed that should not |
/// | 71 | the system refused something |
/// | 73 | a file can't be made, or a folder is missing |
/// | 77 | this user may not do that |
/// | 78 | something is configured wrongly: an endpoint, a pid file that is none |
/// | 130 | it was stopped by SIGINT |
/// | 143 | a second SIGTERM cut the drain short; a second SIGINT does so with 130 |
///
/// Twisted: `twisted.application.runner.ExitStatus`; `twistd` ends itself with the signal that stopped it.
public struct ExitStatus: RawRepresentable, Hashable, Sendable {
    /// The number, from 0 to 255.
    public let rawValue: Int32

    /// The status of a number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// It ended in good order.
    public static let success = ExitStatus(rawValue: 0)
    /// The command line is wrong (`EX_USAGE`).
    public static let usage = ExitStatus(rawValue: 64)
    /// There is no such user or group (`EX_NOUSER`).
    public static let noUser = ExitStatus(rawValue: 67)
    /// Something is not to be had (`EX_UNAVAILABLE`).
    public static let unavailable = ExitStatus(rawValue: 69)
    /// Something failed that should not (`EX_SOFTWARE`).
    public static let software = ExitStatus(rawValue: 70)
    /// The system refused something (`EX_OSERR`).
    public static let systemError = ExitStatus(rawValue: 71)
    /// A file can't be made (`EX_CANTCREAT`).
    public static let cannotCreate = ExitStatus(rawValue: 73)
    /// This user may not do that (`EX_NOPERM`).
    public static let noPermission = ExitStatus(rawValue: 77)
    /// Something is configured wrongly (`EX_CONFIG`).
    public static let configuration = ExitStatus(rawValue: 78)

    /// Stopped by a signal: 128 and its number.
    public static func signal(_ number: Int32) -> ExitStatus { ExitStatus(rawValue: 128 + number) }
}
