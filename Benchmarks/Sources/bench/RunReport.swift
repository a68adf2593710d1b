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

    struct ServerResult: Codable {
        let name: String
        let median: LoadRun
        let cpuSpread: Double
        let runs: [LoadRun]
    }

    init(scenario: Scenario, runs: ByServer<[LoadRun]>) {
        name = scenario.name
        load = scenario.summary
        servers = Server.allCases.compactMap { server in
            guard let median = LoadRun(medianOf: runs[server]) else { return nil }
            let cpu = runs[server].map(\.cpuMicrosecondsPerMessage)
            return ServerResult(name: server.name, median: median, cpuSpread: cpu.spread ?? 0, runs: runs[server])
        }
        gates = Server.peers.compactMap { [servers] peer in
            guard let limit = scenario.ratioMax(against: peer), let ratio = ScenarioResult.ratio(.twill, to: peer, in: servers)
            else { return nil }
            return Gate(ScenarioResult.gateName(scenario.name, against: peer), value: ratio, limit: limit)
        }
    }

    private static func gateName(_ scenario: String, against peer: Server) -> String {
        "\(scenario) vs \(peer.name)"
    }

    /// CPU per message of one server against another's, of the medians.
    private static func ratio(_ server: Server, to peer: Server, in servers: [ServerResult]) -> Double? {
        guard
            let own = servers.first(where: { $0.name == server.name })?.median.cpuMicrosecondsPerMessage,
            let other = servers.first(where: { $0.name == peer.name })?.median.cpuMicrosecondsPerMessage, other > 0
        else { return nil }
        return own / other
    }
}

extension ScenarioResult {
    func description(rounds: Int, duration: Double) -> String {
        var table = Table([
            "server", "messages/s", "MB/s", "p50 us", "p99 us", "CPU us/message", "spread", "vs raw-epoll", "vs bufferevent",
        ])
        for server in servers {
            let median = server.median
            table.add(
                [
                    server.name,
                    median.messagesPerSecond.formatted(digits: 0),
                    median.megabytesPerSecond.formatted(digits: 1),
                    median.p50Microseconds.formatted(digits: 0),
                    median.p99Microseconds.formatted(digits: 0),
                    median.cpuMicrosecondsPerMessage.formatted(digits: 3),
                    "\((server.cpuSpread * 100).formatted(digits: 0)) %",
                ] + verdicts(of: server))
        }
        return "\(name): \(load); medians of \(rounds) rounds of \(duration.formatted(digits: 1)) s\n\(table)"
    }

    /// The last two columns: ratios, with the gates, where there are any, beside those of Twill.
    private func verdicts(of server: ServerResult) -> [String] {
        Server.peers.map { peer in
            guard let which = Server(rawValue: server.name) else { return "" }
            let gateName = ScenarioResult.gateName(name, against: peer)
            if which == .twill, let gate = gates.first(where: { $0.name == gateName }) { return gate.description }
            return ScenarioResult.ratio(which, to: peer, in: servers)?.formatted(digits: 2) ?? ""
        }
    }
}
