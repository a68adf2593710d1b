import CServices
import Logging
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the lines of the log are written to. A line is one call of the system, which waits for as long as the system wants.
enum LogTarget {
    /// Standard error or output, which are not this program's to close.
    case standard(CInt)
    case file(CInt)
    case syslog

    /// Connects to the system's log, where lines begin with a name.
    static func connectToSyslog(as name: String) {
        // The system keeps the text's address; so it is never freed, and there is one for each program.
        unsafe openlog(strdup(name), LOG_PID | LOG_NDELAY, CInt(LOG_DAEMON))
    }

    /// Whether the line was taken.
    func write(_ line: String, level: Logger.Level) -> Bool {
        switch self {
        case .standard(let descriptor), .file(let descriptor): return System.write(line + "\n", to: descriptor)
        case .syslog:
            // The call reads the text and keeps nothing of it.
            unsafe twill_syslog(Self.priority(of: level), line)
            return true
        }
    }

    func close() {
        if case .file(let descriptor) = self { System.close(descriptor) }
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
