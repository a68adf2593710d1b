/// What `bench run` found out: medians and gates as a table for people, every round as JSON for programs.
struct RunReport: Codable {
    let rounds: Int
    let durationSeconds: Double
    var cpuClock = ProcessTimes.clockName
    let scenarios: [ScenarioResult]
}

/// One scenario: the runs of each server, their medians, and the gates.
struct ScenarioResult: Codable {
    let name: String
    let load: String
    let servers: [ServerResult]
    let gates: [Gate]
    private let references: [Server]

    struct ServerResult: Codable {
        let server: Server
        let median: LoadRun
        let cpuSpread: Double
        let runs: [LoadRun]

        private enum CodingKeys: String, CodingKey {
            case server = "name"
            case median, cpuSpread, runs
        }
    }

    init(scenario: Scenario, runs: [Server: [LoadRun]]) {
        name = scenario.name
        load = scenario.summary
        references = scenario.references
        servers = scenario.servers.compactMap { server in
            guard let runs = runs[server], let median = LoadRun(medianOf: runs) else { return nil }
            return ServerResult(server: server, median: median, cpuSpread: runs.map(\.cpuMicrosecondsPerMessage).spread ?? 0, runs: runs)
        }
        gates = scenario.limits.compactMap { [servers] limit in
            ScenarioResult.ratio(limit.server, to: limit.peer, in: servers).map { ratio in
                Gate(ScenarioResult.gateName(scenario.name, limit.server, to: limit.peer), value: ratio, limit: limit.ratioMax)
            }
        }
    }

    private static func gateName(_ scenario: String, _ server: Server, to peer: Server) -> String {
        "\(scenario): \(server.name) vs \(peer.name)"
    }

    /// CPU per message of one server against another's, of the medians.
    private static func ratio(_ server: Server, to peer: Server, in servers: [ServerResult]) -> Double? {
        guard
            let own = servers.first(where: { $0.server == server })?.median.cpuMicrosecondsPerMessage,
            let other = servers.first(where: { $0.server == peer })?.median.cpuMicrosecondsPerMessage, other > 0
        else { return nil }
        return own / other
    }
}

extension ScenarioResult {
    func description(rounds: Int, duration: Double) -> String {
        var table = Table(
            ["server", "messages/s", "MB/s", "p50 us", "p99 us", "CPU us/message", "spread"] + references.map(\.heading))
        for result in servers {
            let median = result.median
            table.add(
                [
                    result.server.name,
                    median.messagesPerSecond.formatted(digits: 0),
                    median.megabytesPerSecond.formatted(digits: 1),
                    median.p50Microseconds.formatted(digits: 0),
                    median.p99Microseconds.formatted(digits: 0),
                    median.cpuMicrosecondsPerMessage.formatted(digits: 3),
                    "\((result.cpuSpread * 100).formatted(digits: 0)) %",
                ] + references.map { verdict(on: result.server, against: $0) })
        }
        return "\(name): \(load); medians of \(rounds) rounds of \(duration.formatted(digits: 1)) s\n\(table)"
    }

    /// The ratio of one server to another that it is held against, with the gate where there is one.
    private func verdict(on server: Server, against peer: Server) -> String {
        let gateName = ScenarioResult.gateName(name, server, to: peer)
        if let gate = gates.first(where: { $0.name == gateName }) { return gate.description }
        guard server.references.contains(peer) else { return "" }
        return ScenarioResult.ratio(server, to: peer, in: servers)?.formatted(digits: 2) ?? ""
    }
}
