#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A signal that is sent to a process, by its number or by its name.
///
/// ```swift
/// let process = try reactor.spawnProcess(ProcessCommand("sleep", arguments: ["60"]), protocol: ProcessProtocol())
/// if let signal = ProcessSignal(named: "USR1") { try process.signalProcess(signal) }
/// try process.signalProcess(.terminate)
/// ```
public struct ProcessSignal: RawRepresentable, Hashable, Sendable {
    /// The system's number: 15.
    public let rawValue: CInt

    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// `SIGHUP`: by custom, read the configuration again.
    public static let hangUp = ProcessSignal(rawValue: SIGHUP)
    /// `SIGINT`: what Ctrl-C sends.
    public static let interrupt = ProcessSignal(rawValue: SIGINT)
    /// `SIGQUIT`: end, and leave a memory dump.
    public static let quit = ProcessSignal(rawValue: SIGQUIT)
    /// `SIGKILL`: ends a process that may do nothing against it.
    public static let kill = ProcessSignal(rawValue: SIGKILL)
    /// `SIGTERM`: asks to end.
    public static let terminate = ProcessSignal(rawValue: SIGTERM)
    /// `SIGSTOP`: halts a process that may do nothing against it.
    public static let stop = ProcessSignal(rawValue: SIGSTOP)
    /// `SIGCONT`: lets a halted process go on.
    public static let `continue` = ProcessSignal(rawValue: SIGCONT)
    /// `SIGUSR1`: what the program makes of it.
    public static let user1 = ProcessSignal(rawValue: SIGUSR1)
    /// `SIGUSR2`: what the program makes of it.
    public static let user2 = ProcessSignal(rawValue: SIGUSR2)

    private static let names: [(name: String, number: CInt)] = [
        ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP), ("ABRT", SIGABRT), ("BUS", SIGBUS),
        ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1), ("SEGV", SIGSEGV), ("USR2", SIGUSR2), ("PIPE", SIGPIPE), ("ALRM", SIGALRM),
        ("TERM", SIGTERM), ("CHLD", SIGCHLD), ("CONT", SIGCONT), ("STOP", SIGSTOP), ("TSTP", SIGTSTP), ("TTIN", SIGTTIN), ("TTOU", SIGTTOU),
        ("URG", SIGURG), ("XCPU", SIGXCPU), ("XFSZ", SIGXFSZ), ("VTALRM", SIGVTALRM), ("PROF", SIGPROF), ("WINCH", SIGWINCH),
        ("SYS", SIGSYS),
    ]

    /// A signal by its name, with or without `SIG` and in any case: `TERM`, `sigterm`. Nil for a name that is none.
    public init?(named name: String) {
        var short = name.uppercased()
        if short.hasPrefix("SIG") { short.removeFirst(3) }
        guard let found = Self.names.first(where: { $0.name == short }) else { return nil }
        rawValue = found.number
    }
}

extension ProcessSignal: CustomStringConvertible {
    /// `SIGTERM`; `signal 40` for one without a name.
    public var description: String {
        Self.names.first { $0.number == rawValue }.map { "SIG\($0.name)" } ?? "signal \(rawValue)"
    }
}
