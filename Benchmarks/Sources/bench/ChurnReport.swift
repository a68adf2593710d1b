/// What `bench churn` found out: medians and gates as tables for people, every slice as JSON for programs.
struct ChurnReport: Codable {
    let connections: Int
    let concurrency: Int
    let slices: Int
    var cpuClock = ProcessTimes.clockName
    let servers: [ServerResult]
    let gates: [Gate]

    static let ratioMin = 0.9
    static let megabytesGrownMax = 2.0

    struct ServerResult: Codable {
        let name: String
        let medianConnectionsPerSecond: Double
        let spread: Double
        let medianCPUMicrosecondsPerConnection: Double
        let descriptorsBefore: Int
        let descriptorsAfter: Int
        let residentBytesAtHalf: Int
        let residentBytesAtEnd: Int
        let slices: [ChurnSlice]

        /// nil for fewer than two slices, which have no halves.
        init?(_ server: ChurnedServer) {
            let slices = server.slices
            let rates = slices.map(\.connectionsPerSecond)
            guard
                let rate = rates.median, let spread = rates.spread, let cpu = slices.map(\.cpuMicrosecondsPerConnection).median,
                let half = slices.prefix(slices.count / 2).last, let end = slices.last
            else { return nil }
            name = server.process.name
            medianConnectionsPerSecond = rate
            self.spread = spread
            medianCPUMicrosecondsPerConnection = cpu
            descriptorsBefore = server.descriptorsBefore
            descriptorsAfter = end.descriptors
            residentBytesAtHalf = half.residentBytes
            residentBytesAtEnd = end.residentBytes
            self.slices = slices
        }

        /// How much of the server's core its connections took, from 0 to 1. Near 1 the server was the limit, else the load was.
        var coreShare: Double { medianConnectionsPerSecond * medianCPUMicrosecondsPerConnection / 1e6 }

        var megabytesGrown: Double { Double(residentBytesAtEnd - residentBytesAtHalf) / 1e6 }
    }

    init(connections: Int, concurrency: Int, slices: Int, servers: [ChurnedServer]) {
        self.connections = connections
        self.concurrency = concurrency
        self.slices = slices
        self.servers = servers.compactMap(ServerResult.init)
        gates = ChurnReport.gates(servers: self.servers)
    }

    private static func gates(servers: [ServerResult]) -> [Gate] {
        guard
            let twill = servers.first(where: { $0.name == Server.twill.name }),
            let floor = servers.first(where: { $0.name == Server.rawEpoll.name })
        else { return [] }
        return [
            Gate(
                "connections/s vs \(floor.name)", value: twill.medianConnectionsPerSecond / floor.medianConnectionsPerSecond,
                .atLeast, limit: ratioMin),
            // One too few would be one that was closed without being a connection's.
            Gate(
                "descriptors too many or too few", value: Double(abs(twill.descriptorsAfter - twill.descriptorsBefore)), limit: 0,
                digits: 0),
            Gate("MB grown over the second half", value: twill.megabytesGrown, .below, limit: megabytesGrownMax),
        ]
    }
}

extension ChurnReport: CustomStringConvertible {
    var description: String {
        """
        churn: \(connections) connections to each server, \(concurrency) at a time, 64 B there and back on each; medians of \(slices) slices
        \(speed)

        what the servers hold, before, after half and after all of them
        \(holdings)
        """
    }

    private var speed: Table {
        var table = Table(["server", "connections/s", "spread", "CPU us/connection", "core busy", "CPU vs raw-epoll", "vs raw-epoll"])
        let floor = servers.first { $0.name == Server.rawEpoll.name }
        for server in servers {
            let rate = server.medianConnectionsPerSecond
            let cpu = server.medianCPUMicrosecondsPerConnection
            table.add([
                server.name,
                rate.formatted(digits: 0),
                "\((server.spread * 100).formatted(digits: 0)) %",
                cpu.formatted(digits: 2),
                "\((server.coreShare * 100).formatted(digits: 0)) %",
                floor.map { (cpu / $0.medianCPUMicrosecondsPerConnection).formatted(digits: 2) } ?? "",
                verdict(0, of: server) ?? floor.map { (rate / $0.medianConnectionsPerSecond).formatted(digits: 2) } ?? "",
            ])
        }
        return table
    }

    private var holdings: Table {
        var table = Table(["server", "descriptors", "after", "difference", "MB at half", "at the end", "growth"])
        for server in servers {
            table.add([
                server.name,
                String(server.descriptorsBefore),
                String(server.descriptorsAfter),
                verdict(1, of: server) ?? String(server.descriptorsAfter - server.descriptorsBefore),
                (Double(server.residentBytesAtHalf) / 1e6).formatted(digits: 2),
                (Double(server.residentBytesAtEnd) / 1e6).formatted(digits: 2),
                verdict(2, of: server) ?? server.megabytesGrown.formatted(digits: 2),
            ])
        }
        return table
    }

    /// The gate beside Twill's figure; the other servers have none.
    private func verdict(_ gate: Int, of server: ServerResult) -> String? {
        server.name == Server.twill.name && gates.indices.contains(gate) ? gates[gate].description : nil
    }
}
