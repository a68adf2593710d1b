public import ArgumentParser
import Logging
import Twill

/// A program: the services that it consists of. With `@main` it has a command line, and can be run in the foreground or as a daemon.
///
/// ```swift
/// import Twill
/// import TwillServices
///
/// @main struct EchoServer: Application {
///     func addServices(to services: MultiService) throws {
///         try services.add(TCPServer(port: 8007, factory: Factory { Echo() }))
///     }
/// }
/// ```
///
/// It may have options of its own, by swift-argument-parser's property wrappers; they stand beside those of ``RunnerOptions``.
///
/// # Contract
/// - ``addServices(to:)`` is called once for each reactor, one after the other, before any of them runs. What it makes belongs to that reactor.
/// - The order: the command line is read; the process goes into the background if that was asked for; it goes to its folder, opens its log and takes its pid
///   file; services are added and bind their ports; privileges are given up; services start; whoever has started the process hears that it serves.
/// - What fails before that is one sentence on standard error, also where the process is in the background already, and an ``ExitStatus``. Nothing is
///   left then that was not there before.
/// - SIGTERM and SIGINT drain the services, stop them in reverse, and end the process; a second one cuts the drain short. SIGHUP opens the log file
///   anew, and lets every service read its configuration anew (``Service/reloadService()``).
/// - The library's logging system is set up here, so a program does not do it.
///
/// Twisted: `Application`, `IServiceMaker` and `twistd`.
public protocol Application: ParsableArguments {
    /// What the program is called in its log, its help and its files; the type's name unless overridden, `echo-server` for `EchoServer`.
    static var name: String { get }

    /// What `--version` says; nothing unless overridden.
    static var version: String { get }

    /// What `--help` says the program is for; nothing unless overridden.
    static var abstract: String { get }

    /// Adds the services of one reactor.
    ///
    /// - Parameter services: the root of the reactor's tree; `services.reactor` is the reactor, and `services.place` tells which of them it is.
    /// - Throws: what ends the start; a ``RunnerFailure`` chooses the exit status.
    func addServices(to services: MultiService) throws
}

extension Application {
    public static var name: String {
        // A small letter is a word's last where a capital comes next.
        "\(Self.self)".replacing(#/([a-z0-9])([A-Z])/#) { "\($0.1)-\($0.2)" }.lowercased()
    }

    public static var version: String { "" }

    public static var abstract: String { "" }

    /// Reads the command line, runs the program, and ends the process with its ``ExitStatus``.
    public static func main() {
        let command = RunnerCommand<Self>.parseOrExit()
        System.endProcess(Runner(command.application, command.runner).run())
    }
}

/// The command line of a program: its own options and the runner's.
struct RunnerCommand<Program: Application>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: Program.name, abstract: Program.abstract, version: Program.version)
    }

    @OptionGroup var application: Program

    @OptionGroup(title: "Running") var runner: RunnerOptions
}
