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
        // It ends by itself when nothing happens for ten seconds, so the limit is for a server that is a hundred times too slow.
        let tally: Tally = try LoadGenerator.run(
            wrapper + [program, "--connections", String(connections), "--concurrency", String(concurrency)], name: "churn-client",
            about: "churn-client on \(server.name), \(connections) connections", on: server, atMost: 60 + Double(connections) / 100
        ) { $0.connections == connections && $0.errors == 0 && $0.seconds > 0 }
        return tally.seconds
    }

    /// The line that it prints.
    private struct Tally: Decodable {
        let connections: Int
        let errors: Int
        let seconds: Double
    }
}
