import Foundation

/// `churn-client`: the load generator that makes one short connection after another, and checks the reply on each.
///
/// A program in C rather than `twill load`, because its own cost per connection is what limits how many a server is given.
struct ChurnClient {
    let program: String
    /// What it is started behind: `taskset -c 1`, or nothing.
    var wrapper: [String] = []
    /// Connections in progress at a time.
    let concurrency: Int

    /// Makes so many connections to the server, and returns how long they took. Any error on any of them fails the run.
    func seconds(for connections: Int, to server: ServerProcess) throws -> Double {
        let command =
            try wrapper + [
                program, "--port", String(server.port()), "--connections", String(connections), "--concurrency", String(concurrency),
            ]
        let child = try ChildProcess(command, name: "churn-client")
        // It ends by itself when nothing happens for ten seconds, so this is for a server that is a hundred times too slow.
        let status = try child.waitForEnd(atMost: 60 + Double(connections) / 100)
        let about = "churn-client on \(server.name)"
        guard status.isSuccess else {
            try server.requireAlive()
            throw BenchError.failed("\(about): it \(status.description); \(child.lastWords)")
        }
        // Whole once the child's end of the pipe is drained, which may be a moment after its end.
        var tally: Tally?
        _ = waitUntil(atMost: 5) {
            tally = try? JSONDecoder().decode(Tally.self, from: Data(child.output.text.utf8))
            return tally != nil
        }
        guard let tally, tally.connections == connections, tally.errors == 0, tally.seconds > 0 else {
            throw BenchError.failed(
                "\(about): it said '\(child.output.text)' of \(connections) connections; use the churn-client beside this bench")
        }
        return tally.seconds
    }

    /// The line that it prints.
    private struct Tally: Decodable {
        let connections: Int
        let errors: Int
        let seconds: Double
    }
}
