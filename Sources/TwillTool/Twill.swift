import ArgumentParser
import Foundation
import TwillTLS

/// The command `twill`: what stands above its subcommands, and the one way out of the process when something went wrong.
///
/// Whatever goes wrong is one sentence on standard error. The exit status is 64 where the command line was wrong, in which case nothing was
/// started, and 1 for everything else.
@main
struct TwillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twill",
        abstract:
            """
            Small servers on Twill's reactor, a client for the terminal, port forwarders with and without faults, and a load tester that checks \
            every reply.
            """,
        discussion: """
            Try it in two terminals:

              twill serve echo --listen tcp:8007
              twill load tcp:127.0.0.1:8007 --duration 5s

            Talk to the first by hand, or reach it through another port:

              twill connect tcp:127.0.0.1:8007
              twill forward tcp:8000 tcp:127.0.0.1:8007

            See what your own client or server does on a bad network:

              twill chaos --listen tcp:8001 --to tcp:127.0.0.1:8007 --seed 42

            Endpoints are written tcp:PORT or tcp:HOST:PORT, an IPv6 host in brackets, tcp:[::1]:8007, or unix:PATH. Options follow behind \
            a colon, connectionsMax=100 for example; \\ takes the next character as it is. All of them speak TLS, too:

              twill serve echo --listen tls:8443:cert=server.pem:key=server.key
              twill load tls:localhost:8443:roots=server.pem

            A server needs a certificate and its key, and asks clients for one where clientRoots=FILE says who must have signed it. A client \
            verifies the server's, by the system's authorities or those of roots=FILE, and shows cert=FILE:key=FILE. alpn=NAME,NAME and \
            minimumVersion=1.3 are for both.

            Exit status: 0 if all went well, 1 if something failed, 64 if the command line was wrong.
            """,
        version: "0.1.0",
        subcommands: [ServeCommand.self, ConnectCommand.self, LoadCommand.self, ForwardCommand.self, ChaosCommand.self])

    static func main() {
        TLS.registerEndpoints()
        do {
            try checkCommand(CommandLine.arguments.dropFirst().first)
            var command = try parseAsRoot()
            try command.run()
        } catch {
            end(because: error)
        }
    }

    private static var commandNames: [String] { configuration.subcommands.compactMap { $0.configuration.commandName } }

    /// Refuses a command that there is not by its name; the parser would take it for an argument too many.
    private static func checkCommand(_ name: String?) throws {
        guard let name, !name.hasPrefix("-"), name != "help", !commandNames.contains(name) else { return }
        throw ValidationError("There is no command '\(name)'; choose one of \(commandNames.joined(separator: ", "))")
    }

    /// Ends the process: help and version on standard output with status 0, a mistake as one sentence on standard error.
    private static func end(because error: any Error) -> Never {
        let status = exitCode(for: error)
        if status.isSuccess { exit(withError: error) }
        let message = message(for: error).trimmingCharacters(in: .whitespacesAndNewlines)
        let hint = status == .validationFailure ? " (\(helpCommand) explains what it takes)" : ""
        Output.complain("twill: \(message)\(hint)")
        endProcess(status.rawValue)
    }

    /// The help of the subcommand that was asked for.
    private static var helpCommand: String {
        guard let name = CommandLine.arguments.dropFirst().first, commandNames.contains(name) else { return "'twill --help'" }
        return "'twill \(name) --help'"
    }
}

/// The C function, under a name that ``TwillCommand`` does not use for something else.
private func endProcess(_ status: Int32) -> Never {
    exit(status)
}

/// A failure that is told in one sentence, with exit status 1.
struct ToolFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
