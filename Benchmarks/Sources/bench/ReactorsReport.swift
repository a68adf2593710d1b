import Foundation

/// One load of `bench reactors`.
struct ReactorsScenario {
    let name: String
    /// Which server `twill-reactors` is.
    let mode: String
    let connections: Int
    /// How many messages of 64 bytes leave together on a connection.
    let batch: Int

    static let all = [
        ReactorsScenario(name: "echo-64", mode: "echo", connections: 64, batch: 1),
        ReactorsScenario(name: "line-64x64", mode: "line", connections: 64, batch: 64),
    ]

    var summary: String { "64 B, \(connections) connections, \(batch) on their way on each" }
}

/// The figures of one run.
struct ReactorsRun: Codable {
    let messagesPerSecond: Double
    let cpuMicrosecondsPerMessage: Double
    /// For each reactor's thread, the part of the time for which it ran.
    let runningPerThread: [Double]
    /// The same for which it ran or could have run.
    let wantingPerThread: [Double]
}

/// What `bench reactors` found out under one load.
struct ReactorsResult: Codable {
    let name: String
    let load: String
    let servers: [ServerResult]
    let gates: [Gate]

    struct ServerResult: Codable {
        let reactors: Int
        let medianMessagesPerSecond: Double
        let medianCPUMicrosecondsPerMessage: Double
        let cpuSpread: Double
        let medianRunning: Double
        let medianWanting: Double
        let runs: [ReactorsRun]
    }

    init(_ scenario: ReactorsScenario, one: [ReactorsRun], several: [ReactorsRun], count: Int) {
        name = scenario.name
        load = scenario.summary
        servers = [(1, one), (count, several)].compactMap { reactors, runs in
            let cpu = runs.map(\.cpuMicrosecondsPerMessage)
            guard
                let rate = runs.map(\.messagesPerSecond).median, let median = cpu.median,
                let running = runs.map({ Self.mean($0.runningPerThread) }).median,
                let wanting = runs.map({ Self.mean($0.wantingPerThread) }).median
            else { return nil }
            return ServerResult(
                reactors: reactors, medianMessagesPerSecond: rate, medianCPUMicrosecondsPerMessage: median, cpuSpread: cpu.spread ?? 0,
                medianRunning: running, medianWanting: wanting, runs: runs)
        }
        var gates: [Gate] = []
        if let first = servers.first, let last = servers.last, servers.count == 2 {
            let cost = last.medianCPUMicrosecondsPerMessage / first.medianCPUMicrosecondsPerMessage
            gates.append(Gate("\(name) CPU per message against one", value: cost, limit: 1.15))
            gates.append(Gate("\(name) time for which threads ran or wanted to", value: last.medianWanting, .atLeast, limit: 0.90))
            if count == 2, ProcessInfo.processInfo.activeProcessorCount >= count + 2 {
                let rate = last.medianMessagesPerSecond / first.medianMessagesPerSecond
                gates.append(Gate("\(name) messages per second against one", value: rate, .atLeast, limit: 1.7))
            }
        }
        self.gates = gates
    }

    private static func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }

    func description(rounds: Int, duration: Double) -> String {
        var table = Table([
            "reactors", "messages/s", "against one", "CPU us/message", "spread", "against one", "a thread ran", "ran or wanted to",
        ])
        for server in servers {
            guard let first = servers.first else { continue }
            table.add([
                String(server.reactors),
                server.medianMessagesPerSecond.formatted(digits: 0),
                (server.medianMessagesPerSecond / first.medianMessagesPerSecond).formatted(digits: 2),
                server.medianCPUMicrosecondsPerMessage.formatted(digits: 3),
                "\((server.cpuSpread * 100).formatted(digits: 0)) %",
                (server.medianCPUMicrosecondsPerMessage / first.medianCPUMicrosecondsPerMessage).formatted(digits: 2),
                "\((server.medianRunning * 100).formatted(digits: 0)) %",
                "\((server.medianWanting * 100).formatted(digits: 0)) %",
            ])
        }
        let judged = gates.map { "\($0.name): \($0.description)" }.joined(separator: "\n")
        return "\(name): \(load); medians of \(rounds) rounds of \(duration.formatted(digits: 1)) s\n\(table)\n\(judged)"
    }
}
