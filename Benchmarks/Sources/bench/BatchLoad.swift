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
        try LoadGenerator.run(
            [
                program, "--connections", String(scenario.connections), "--batch", String(scenario.batch), "--milliseconds",
                String(Int(seconds * 1000)),
            ], name: "batch-load", about: "batch-load on \(server.name), \(scenario.name)", on: server, atMost: seconds + 60
        ) { $0.messages > 0 && $0.seconds > 0 }
    }
}
