public import ArgumentParser
import Logging
import Twill

/// The options that every ``Application`` has.
///
/// Twisted: those of `twistd` and `twist`.
public struct RunnerOptions: ParsableArguments {
    @Flag(name: [.customShort("n"), .customLong("nodaemon")], help: "Stay in the foreground, which is the default.")
    var nodaemon = false

    @Flag(help: "Go into the background, and return when the program serves, or could not start.")
    var daemon = false

    @Option(help: ArgumentHelp("The file for the number of the process; NAME.pid for a daemon, else none.", valueName: "file"))
    var pidfile: String?

    @Option(
        help: ArgumentHelp(
            "The file for the log, opened anew at SIGHUP; - for standard output. NAME.log for a daemon, else standard error.",
            valueName: "file"))
    var logfile: String?

    @Flag(help: "Send the log to the system's log.")
    var syslog = false

    @Option(help: ArgumentHelp("How the log is written: text or json.", valueName: "format"))
    var logFormat: LogFormat = .text

    @Option(
        help: ArgumentHelp("From which level on is logged: trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: Level = Level(level: .info)

    @Option(help: ArgumentHelp("The folder to go to first; the others are found from there.", valueName: "folder"))
    var rundir: String?

    @Option(
        help: ArgumentHelp("The folder that is to be the root of all; every other path is inside of it. For root.", valueName: "folder"))
    var chroot: String?

    @Option(help: ArgumentHelp("Which permissions new files shall not have, in octal digits; 077 for a daemon.", valueName: "mask"))
    var umask: Mask?

    @Option(help: ArgumentHelp("The user to become when the ports are bound, by name or number. For root.", valueName: "user"))
    var uid: String?

    @Option(help: ArgumentHelp("The group to become; the user's own if it is not given. For root.", valueName: "group"))
    var gid: String?

    @Option(help: ArgumentHelp("How many reactors run, each on a thread of its own.", valueName: "count"))
    var reactors = 1

    @Option(
        help: ArgumentHelp("How many seconds connections that are busy may go on when the program is to end.", valueName: "seconds"))
    var drainTimeout = 30.0

    @Option(
        help: ArgumentHelp(
            "An endpoint that answers /live, /ready and /metrics by HTTP: unix:PATH, or tcp:127.0.0.1:PORT.", valueName: "endpoint"))
    var admin: String?

    @Option(
        help: ArgumentHelp(
            """
            A UNIX socket for taking over from a process that runs, without refusing a connection: this process takes its listening sockets from there, \
            the other one drains as soon as this one serves, and the next one finds this one there.
            """, valueName: "path"))
    var handover: String?

    /// The defaults.
    public init() {}

    /// Refuses what does not fit together.
    public func validate() throws {
        if daemon, nodaemon { throw ValidationError("--daemon and --nodaemon exclude each other.") }
        if syslog, logfile != nil { throw ValidationError("--syslog and --logfile exclude each other.") }
        if daemon, logfile == "-" { throw ValidationError("A daemon has no standard output: give --logfile a file, or --syslog.") }
        guard (1...Self.reactorsMax).contains(reactors) else {
            throw ValidationError("--reactors takes a number from 1 to \(Self.reactorsMax).")
        }
        guard drainTimeout >= 0, drainTimeout <= Self.drainSecondsMax else {
            throw ValidationError("--drain-timeout takes seconds from 0 to \(Int(Self.drainSecondsMax)).")
        }
        if daemon, System.environment("LISTEN_PID") != nil {
            throw ValidationError(
                "A service manager has handed sockets to this process, which --daemon would leave: run it in the foreground.")
        }
    }

    /// More threads than any machine has cores.
    private static let reactorsMax = 1024
    /// A day.
    private static let drainSecondsMax = 86_400.0

    /// A level of the log, from the command line.
    struct Level: ExpressibleByArgument {
        var level: Logger.Level

        init(level: Logger.Level) { self.level = level }

        init?(argument: String) {
            guard let level = Logger.Level(rawValue: argument.lowercased()) else { return nil }
            self.level = level
        }

        var defaultValueDescription: String { level.rawValue }
    }

    /// A file mask, from the command line.
    struct Mask: ExpressibleByArgument {
        var bits: UInt16

        init(bits: UInt16) { self.bits = bits }

        init?(argument: String) {
            guard let bits = UInt16(argument, radix: 8), bits <= 0o777, !argument.hasPrefix("+") else { return nil }
            self.bits = bits
        }

        var defaultValueDescription: String { String(bits, radix: 8) }
    }
}

extension LogFormat: ExpressibleByArgument {}
