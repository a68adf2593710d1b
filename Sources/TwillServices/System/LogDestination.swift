import CServices
import Logging
import Synchronization
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
/// A line is one call of the system. What can't be written is dropped: a full disk ends no server.
final class LogDestination: Sendable {
    private enum Kind {
        case descriptor(CInt)
        case file(String, CInt)
        case syslog
    }

    private let kind: Mutex<Kind>

    private init(_ kind: Kind) {
        self.kind = Mutex(kind)
    }

    static let standardError = LogDestination(.descriptor(2))
    static let standardOutput = LogDestination(.descriptor(1))

    /// The system's log, where lines begin with a name.
    static func syslog(named name: String) -> LogDestination {
        // The system keeps the text's address; so it is never freed, and there is one for each program.
        unsafe openlog(strdup(name), LOG_PID, CInt(LOG_DAEMON))
        return LogDestination(.syslog)
    }

    /// A file, to which is appended; given to a user, who will open it anew.
    static func file(_ path: String, for privileges: Privileges?) throws(RunnerFailure) -> LogDestination {
        do {
            let descriptor = try System.openLog(path)
            if let privileges { System.giveAway(descriptor, to: privileges.user, privileges.group) }
            return LogDestination(.file(path, descriptor))
        } catch {
            throw RunnerFailure("Couldn't open the log file \(path)", error)
        }
    }

    /// Whether lines carry their time themselves.
    var wantsTime: Bool {
        kind.withLock { if case .syslog = $0 { false } else { true } }
    }

    func write(_ line: String, level: Logger.Level) {
        kind.withLock { kind in
            switch kind {
            case .descriptor(let descriptor), .file(_, let descriptor): System.write(line + "\n", to: descriptor)
            case .syslog:
                // The call reads the text and keeps nothing of it.
                unsafe twill_syslog(Self.priority(of: level), line)
            }
        }
    }

    /// Opens the file anew, by its path; does nothing where it is no file. Where that fails, the old one goes on.
    func reopen() throws(SystemError) {
        guard let path = kind.withLock({ if case .file(let path, _) = $0 { path } else { nil } }) else { return }
        let descriptor = try System.openLog(path)
        let old = kind.withLock { kind -> CInt? in
            guard case .file(let path, let old) = kind else { return nil }
            kind = .file(path, descriptor)
            return old
        }
        if let old { System.close(old) }
    }

    private static func priority(of level: Logger.Level) -> CInt {
        switch level {
        case .trace, .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }
}
