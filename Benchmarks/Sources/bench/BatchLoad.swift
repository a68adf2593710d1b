import Foundation

/// `batch-load`: the load generator that costs little for each message, and compares every reply.
struct BatchLoad {
    let program: String
    let seconds: Double

    /// What one run counted.
    struct Tally: Decodable {
        let messages: Int
        let seconds: Double
    }

    /// Loads a server; a reply that is wrong or missing fails the run.
    func run(_ scenario: ReactorsScenario, against server: ServerProcess) throws -> Tally {
        let command =
            try [
                program, "--port", String(server.port()), "--connections", String(scenario.connections), "--batch", String(scenario.batch),
                "--milliseconds", String(Int(seconds * 1000)),
            ]
        let child = try ChildProcess(command, name: "batch-load")
        let status = try child.waitForEnd(atMost: seconds + 60)
        let about = "batch-load on \(server.name), \(scenario.name)"
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
        guard let tally, tally.messages > 0, tally.seconds > 0 else {
            throw BenchError.failed("\(about): it said '\(child.output.text)'; use the batch-load beside this bench")
        }
        return tally
    }
}
