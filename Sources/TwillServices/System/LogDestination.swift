import Logging
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where the log goes: a file, which can be opened anew when it was moved away, standard error or output, or the system's log.
///
/// What can't be written is dropped, and counted: neither a full disk nor a reader that does not read ends or holds up a server.
final class LogDestination: Sendable {
    /// Where a program wants its log to go.
    enum Place {
        case standardError, standardOutput
        case file(String)
        /// The system's log, to which the process has connected.
        case syslog
    }

    /// How long the end of the program waits for a reader.
    private static let flushLimit = Duration.seconds(2)

    /// Whether lines carry their time themselves.
    let wantsTime: Bool
    private let path: String?
    private let queue: LogQueue

    /// Opens it.
    ///
    /// - Parameters:
    ///   - privileges: who will open a file anew, and so is given it.
    ///   - describeGap: the line that says how many lines are missing; told whether lines carry their time.
    /// - Throws: ``RunnerFailure`` where the file can't be opened.
    init(
        _ place: Place, for privileges: Privileges?, describeGap: @escaping @Sendable (_ count: Int, _ wantsTime: Bool) -> String
    ) throws(RunnerFailure) {
        let target: LogTarget
        switch place {
        case .standardError: (target, path, wantsTime) = (.standard(2), nil, true)
        case .standardOutput: (target, path, wantsTime) = (.standard(1), nil, true)
        case .syslog: (target, path, wantsTime) = (.syslog, nil, false)
        case .file(let file):
            do {
                let descriptor = try System.openLog(file)
                if let privileges { System.giveAway(descriptor, to: privileges.user, privileges.group) }
                (target, path, wantsTime) = (.file(descriptor), file, true)
            } catch {
                if error.errno == ENXIO {
                    throw RunnerFailure(.unavailable, "Nobody reads the log file \(file), which is a pipe: start its reader first")
                }
                throw RunnerFailure("Couldn't open the log file \(file)", error)
            }
        }
        let wantsTime = wantsTime
        queue = LogQueue(to: target) { describeGap($0, wantsTime) }
    }

    /// Begins to write, on a thread of its own; called before there is a reactor that runs, and when privileges are gone.
    func start() throws(RunnerFailure) {
        do { try queue.start() } catch { throw RunnerFailure("Couldn't start a thread for the log", error) }
    }

    func write(_ line: String, level: Logger.Level) { queue.write(line, level: level) }

    /// Opens the file anew, by its path; does nothing where it is no file. Where that fails, the old one goes on.
    func reopen() throws(SystemError) {
        if let path { queue.turn(to: .file(try System.openLog(path))) }
    }

    /// Waits until what was logged has been written; a little time at the most.
    func flush() {
        // A program that failed early has none yet.
        try? queue.start()
        queue.flush(within: Self.flushLimit)
    }
}
