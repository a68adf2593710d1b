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
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let success = ExitStatus(rawValue: 0)
    public static let usage = ExitStatus(rawValue: 64)
    public static let noUser = ExitStatus(rawValue: 67)
    public static let unavailable = ExitStatus(rawValue: 69)
    public static let software = ExitStatus(rawValue: 70)
    public static let systemError = ExitStatus(rawValue: 71)
    public static let cannotCreate = ExitStatus(rawValue: 73)
    public static let noPermission = ExitStatus(rawValue: 77)
    public static let configuration = ExitStatus(rawValue: 78)

    /// Stopped by a signal: 128 and its number.
    public static func signal(_ number: Int32) -> ExitStatus { ExitStatus(rawValue: 128 + number) }
}
