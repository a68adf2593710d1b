/// The figures of one run of `bench udp`.
struct UDPRun: Codable {
    let datagramsPerSecond: Double
    let cpuMicrosecondsPerDatagram: Double
    let lost: Int
}

/// What `bench udp` found out under one load: medians and the gate as a table for people, every round as JSON for programs.
struct UDPResult: Codable {
    let name: String
    let load: String
    let servers: [ServerResult]
    let gate: Gate?

    struct ServerResult: Codable {
        let name: String
        let medianDatagramsPerSecond: Double
        let medianCPUMicrosecondsPerDatagram: Double
        let cpuSpread: Double
        let runs: [UDPRun]
    }

    init(_ scenario: UDPScenario, _ runs: [UDPServer: [UDPRun]]) {
        name = scenario.name
        load = scenario.summary
        servers = UDPServer.allCases.compactMap { server in
            let runs = runs[server] ?? []
            let cpu = runs.map(\.cpuMicrosecondsPerDatagram)
            guard let rate = runs.map(\.datagramsPerSecond).median, let median = cpu.median else { return nil }
            return ServerResult(
                name: server.rawValue, medianDatagramsPerSecond: rate, medianCPUMicrosecondsPerDatagram: median, cpuSpread: cpu.spread ?? 0,
                runs: runs)
        }
        let ratio = Self.ratio(.twill, to: .loop, in: servers)
        gate = scenario.ratioMax.flatMap { limit in
            ratio.map { Gate("\(scenario.name) vs \(UDPServer.loop.rawValue)", value: $0, limit: limit) }
        }
    }

    private static func ratio(_ server: UDPServer, to peer: UDPServer, in servers: [ServerResult]) -> Double? {
        guard
            let own = servers.first(where: { $0.name == server.rawValue })?.medianCPUMicrosecondsPerDatagram,
            let other = servers.first(where: { $0.name == peer.rawValue })?.medianCPUMicrosecondsPerDatagram, other > 0
        else { return nil }
        return own / other
    }

    func description(rounds: Int, duration: Double) -> String {
        var table = Table(
            ["server", "datagrams/s", "CPU us/datagram", "spread"] + UDPServer.peers.map { "vs \($0.rawValue)" })
        for server in servers {
            guard let which = UDPServer(rawValue: server.name) else { continue }
            let ratios = UDPServer.peers.map { peer in
                if which == .twill, peer == .loop, let gate { return gate.description }
                return Self.ratio(which, to: peer, in: servers)?.formatted(digits: 2) ?? ""
            }
            table.add(
                [
                    server.name,
                    server.medianDatagramsPerSecond.formatted(digits: 0),
                    server.medianCPUMicrosecondsPerDatagram.formatted(digits: 3),
                    "\((server.cpuSpread * 100).formatted(digits: 0)) %",
                ] + ratios)
        }
        return "\(name): \(load); medians of \(rounds) rounds of \(duration.formatted(digits: 1)) s\n\(table)"
    }
}
