import Foundation

/// A server that runs and has said where it listens. Always a fresh one: nothing of an earlier load is left in it.
final class ServerProcess {
    /// What error messages call it.
    let name: String
    /// Where it listens, as `twill load` takes it: `tcp:127.0.0.1:41234`.
    let endpoint: String
    /// The server's own process id: each wrapper below turns into the server or runs it in its own process.
    var pid: pid_t { child.pid }
    /// The sockets it held when it was ready and had no clients.
    private(set) var socketsWhenReady = 0
    private let child: ChildProcess

    /// Starts the server behind `wrapper` (`taskset -c 0`, `valgrind --tool=callgrind`), and returns once it is ready.
    convenience init(_ server: Server, for scenario: Scenario, programs: Programs, wrapper: [String] = []) throws {
        try self.init(wrapper + server.command(for: scenario, programs: programs), name: server.name)
    }

    /// Starts a server, and returns once it is ready.
    init(_ command: [String], name: String) throws {
        self.name = name
        let child = try ChildProcess(command, name: name)
        self.child = child

        var endpoint: String?
        let hasAnswered = waitUntil(atMost: 30) {
            endpoint = ServerProcess.endpoint(in: child.output.text)
            return endpoint != nil || child.poll() != nil
        }
        guard let endpoint else {
            let what = hasAnswered ? "ended before it listened" : "did not say \"listening on\" within 30 s"
            throw BenchError.failed("\(name) \(what); `\(command.joined(separator: " "))`; \(child.lastWords)")
        }
        self.endpoint = endpoint
        socketsWhenReady = try ProcessDescriptors.sockets(of: self)
    }

    /// The port of the endpoint.
    func port() throws -> UInt16 {
        guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw BenchError.failed("\(name) listens on \(endpoint), which has no port to connect to")
        }
        return port
    }

    /// Fails where the server has ended by itself, which is the reason behind whatever else has failed.
    func requireAlive() throws {
        guard let status = child.poll() else { return }
        throw BenchError.failed("\(name) \(status.description) while it was measured; \(child.lastWords)")
    }

    /// Ends the server with SIGTERM. One that doesn't end well is worth a line, but the figures it gave before stand.
    func end() throws {
        try requireAlive()
        let status = try child.terminate()
        if !status.isSuccess { Progress.say("bench: \(name) \(status.description) on SIGTERM; \(child.lastWords)") }
    }

    /// The endpoint in the first whole line that says "listening on". A line that is still being written may end in half a port.
    private static func endpoint(in output: String) -> String? {
        for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            guard let said = line.range(of: "listening on ") else { continue }
            return line[said.upperBound...].split(separator: " ").first.map(String.init)
        }
        return nil
    }
}
