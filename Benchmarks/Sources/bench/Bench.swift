import ArgumentParser
import Foundation

/// The entry: turns the command line into one of the measurements, and how it ends into an exit status.
@main
enum Main {
    static func main() {
        ChildRegistry.endChildrenOnSignals()
        // A server that is gone is an error of send, not the end of bench.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try Bench.parseAsRoot()
            try command.run()
        } catch let error as BenchError {
            Progress.say("bench: \(error.message)")
            exit(error.status)
        } catch {
            Bench.exit(withError: error)
        }
    }
}

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures Twill's servers against a raw epoll server and a textbook bufferevent server, both in C, and SwiftNIO's.",
        discussion: """
            Start with what is exact and hardly depends on the machine, then measure times:

              bench syscalls       system calls per message, by name
              bench instructions   user instructions per message
              bench framers        nanoseconds and instructions per frame, without a socket
              bench memory         resident bytes per idle connection
              bench run            CPU time per message, throughput and latency
              bench churn          a million short connections: how many a second, and what is left of them
              bench udp            CPU time per datagram
              bench reactors       one reactor against several: messages per second, CPU time for each
              bench tls            CPU time per message and handshake by TLS, and memory per connection

            Build in release first: `swift build -c release` in the repository, which makes twill, and in Benchmarks, which makes \
            bench and its peers. Figures of debug builds mean nothing.

            Every measurement has gates, limits that Twill promises to stay within. The exit status is 0 when all hold, 1 when one does \
            not, 64 for a bad option, 69 when a program that is needed is missing, and 70 when a server or the load tester fails.
            """,
        subcommands: [
            RunCommand.self, MemoryCommand.self, InstructionsCommand.self, SyscallsCommand.self, FramersCommand.self, ChurnCommand.self,
            UDPCommand.self, ReactorsCommand.self, TLSCommand.self,
        ]
    )
}
