import ArgumentParser
import Foundation

/// `bench tls`: CPU time per message and per handshake of TLS servers under load, and the memory of connections that do nothing.
struct TLSCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Measures CPU time per message and handshake, and memory per connection, by TLS.",
        discussion: """
            For every scenario, round and server: a fresh server pinned to one core, `tls-load` pinned to another, and the server's own user and \
            system time divided by what it has done. The servers take turns within a round. Printed are the medians over the rounds.

              bench tls                            about three minutes
              bench tls --rounds 3 --duration 1    a first look

            raw-epoll-tls is epoll and OpenSSL in C. SwiftNIO's TLS is BoringSSL, so that its row compares two libraries for TLS as well: where \
            OpenSSL in C takes longer than it, so does whatever stands on OpenSSL.

            All of them speak TLS_AES_128_GCM_SHA256. A crowd of clients comes last, which shakes hands 500 times a second with Twill's server, \
            while another connection has its answers timed; and then 50000 times, as fast as it goes.

            Gates: CPU time at most 1.15 of raw-epoll-tls for a message and 1.05 for a handshake; at most 24 KiB for a connection that does \
            nothing; beside the crowd 99 of 100 answers within 100 ms; nothing left of its handshakes.
            """
    )

    @Option(help: ArgumentHelp("How often each server is measured in each scenario.", valueName: "count"))
    var rounds = 5

    @Option(
        help: ArgumentHelp("How long one measurement lasts, after half a second of warm-up. (default: 2)", valueName: "seconds"),
        transform: RunCommand.seconds(parsing:))
    var duration = 2.0

    @Option(help: ArgumentHelp("How many handshakes the crowd makes at the end.", valueName: "count"))
    var handshakes = 50000

    @OptionGroup var report: ReportOptions
    @OptionGroup var cores: CoreOptions
    @OptionGroup var common: CommonOptions

    private static let idleConnections = 2000
    private static let idleBytesMax = 24.0 * 1024

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds) is out of range; give 1 to 1000.") }
        guard (2...10_000_000).contains(handshakes) else {
            throw ValidationError("--handshakes \(handshakes) is out of range; give 2 to 10000000.")
        }
        guard duration >= 0.01, duration <= 3600 else {
            throw ValidationError("--duration \(duration) is out of range; give seconds, from 0.01 to 3600.")
        }
    }

    func run() throws {
        let wrappers = try cores.wrappers()
        let load = try Programs.tlsPeer("tls-load", common)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let (certificate, key) = (folder.file("server.pem"), folder.file("server.key"))
        let made = try ChildProcess([load, "--certificate", certificate, key], name: "tls-load").waitForEnd(atMost: 30)
        guard made.isSuccess else { throw BenchError.failed("tls-load could not make a certificate") }
        let start = { (server: TLSServer) in
            let program = try Programs.tlsPeer(server.program, common)
            return try ServerProcess(
                wrappers.server + server.command(program: program, certificate: certificate, key: key), name: server.rawValue)
        }

        var results: [TLSResult] = []
        for scenario in TLSScenario.all {
            var runs: [TLSServer: [TLSRun]] = [:]
            for round in 0..<rounds {
                for server in TLSServer.allCases.turns(ofRound: round) {
                    let process = try start(server)
                    let command = wrappers.load + [load] + scenario.arguments + ["--milliseconds", "\(Int(duration * 1000))"]
                    let run = try measure(process, scenario, command)
                    try process.end()
                    runs[server, default: []].append(run)
                    Progress.say(
                        "\(scenario.name) round \(round + 1)/\(rounds) \(server.rawValue): "
                            + "\(run.cpuMicroseconds.formatted(digits: 3)) us of CPU each")
                }
            }
            let result = TLSResult(scenario, runs)
            print("\(result.description(rounds: rounds, duration: duration))\n")
            results.append(result)
        }

        var memory: [TLSMemory] = []
        for server in TLSServer.allCases {
            let process = try start(server)
            do {
                memory.append(TLSMemory(server: server.rawValue, bytesPerConnection: try idleBytes(load, process)))
            } catch let error as BenchError where server == .swiftNIO {
                // Now and then one of its handshakes does not end; nothing is promised of it here.
                Progress.say("bench: \(error.message)")
            }
            try process.end()
        }
        var table = Table(["server", "KiB per idle connection"])
        for row in memory { table.add([row.server, (row.bytesPerConnection / 1024).formatted(digits: 1)]) }
        print("\(table)\n")
        let gates = memory.filter { $0.server == TLSServer.twill.rawValue }.map {
            Gate("bytes per idle connection", value: $0.bytesPerConnection, limit: Self.idleBytesMax, digits: 0)
        }
        let crowded = try start(.twill)
        let crowd = try TLSCrowd(crowded, load: wrappers.load + [load], seconds: duration, handshakes: handshakes)
        try crowded.end()
        print("\(crowd)\n")
        for gate in gates + crowd.gates { print("\(gate.name): \(gate)") }
        try report.write(TLSReport(scenarios: results, memory: memory, crowd: crowd))
        try common.judge(results.flatMap(\.gates) + gates + crowd.gates)
    }

    /// Runs the load to its end, and reads what it has counted.
    private func measure(_ server: ServerProcess, _ scenario: TLSScenario, _ command: [String]) throws -> TLSRun {
        let numbers = try TLSLoad(server, command).numbers(atMost: duration + 30, count: 5)
        let count = scenario.countsHandshakes ? numbers[1] : numbers[0]
        return TLSRun(perSecond: count / numbers[3], cpuMicroseconds: numbers[4] / count)
    }

    /// How many bytes of a server's memory a connection takes that does nothing.
    private func idleBytes(_ load: String, _ server: ServerProcess) throws -> Double {
        // The first ones bring what the server needs once.
        let few = try idle(load, server, connections: 100)
        let before = try ProcessMemory.residentBytes(of: server)
        let many = try idle(load, server, connections: Self.idleConnections)
        let after = try ProcessMemory.residentBytes(of: server)
        for child in [few, many] { _ = try child.terminate() }
        return Double(after - before) / Double(Self.idleConnections)
    }

    /// Opens connections that do nothing, until the child is ended.
    private func idle(_ load: String, _ server: ServerProcess, connections: Int) throws -> ChildProcess {
        let child = try ChildProcess([load, "--idle", "--connections", "\(connections)", "--port", "\(server.port())"], name: "tls-load")
        guard waitUntil(atMost: 20, { child.output.text.contains("ready") || child.poll() != nil }), child.poll() == nil else {
            throw BenchError.failed("tls-load could not open \(connections) connections to \(server.name); \(child.lastWords)")
        }
        return child
    }
}

/// The figures of one run of `bench tls`.
struct TLSRun: Codable {
    let perSecond: Double
    let cpuMicroseconds: Double
}

/// What an idle connection takes of a server's memory.
struct TLSMemory: Codable {
    let server: String
    let bytesPerConnection: Double
}

/// All that `bench tls` has found out, as JSON for programs.
struct TLSReport: Codable {
    let scenarios: [TLSResult]
    let memory: [TLSMemory]
    let crowd: TLSCrowd
}

/// What `bench tls` found out under one load.
struct TLSResult: Codable {
    let name: String
    let load: String
    let servers: [ServerResult]
    let gates: [Gate]

    struct ServerResult: Codable {
        let name: String
        let medianPerSecond: Double
        let medianCPUMicroseconds: Double
        let cpuSpread: Double
        let runs: [TLSRun]
    }

    init(_ scenario: TLSScenario, _ runs: [TLSServer: [TLSRun]]) {
        name = scenario.name
        load = scenario.summary
        let servers = TLSServer.allCases.compactMap { server -> ServerResult? in
            let runs = runs[server] ?? []
            let cpu = runs.map(\.cpuMicroseconds)
            guard let rate = runs.map(\.perSecond).median, let median = cpu.median else { return nil }
            return ServerResult(
                name: server.rawValue, medianPerSecond: rate, medianCPUMicroseconds: median, cpuSpread: cpu.spread ?? 0, runs: runs)
        }
        self.servers = servers
        gates = scenario.limits.compactMap { limit in
            Self.ratio(.twill, to: limit.peer, in: servers).map {
                Gate("\(scenario.name) vs \(limit.peer.rawValue)", value: $0, limit: limit.ratioMax)
            }
        }
    }

    private static func ratio(_ server: TLSServer, to peer: TLSServer, in servers: [ServerResult]) -> Double? {
        guard
            let own = servers.first(where: { $0.name == server.rawValue })?.medianCPUMicroseconds,
            let other = servers.first(where: { $0.name == peer.rawValue })?.medianCPUMicroseconds, other > 0
        else { return nil }
        return own / other
    }

    func description(rounds: Int, duration: Double) -> String {
        let peers = [TLSServer.rawEpoll, .swiftNIO]
        var table = Table(["server", "per second", "CPU us each", "spread"] + peers.map { "vs \($0.rawValue)" })
        for server in servers {
            guard let which = TLSServer(rawValue: server.name) else { continue }
            let ratios = peers.map { peer in
                let gate = which == .twill ? gates.first { $0.name == "\(name) vs \(peer.rawValue)" } : nil
                return gate?.description ?? Self.ratio(which, to: peer, in: servers)?.formatted(digits: 2) ?? ""
            }
            table.add(
                [
                    server.name, server.medianPerSecond.formatted(digits: 0), server.medianCPUMicroseconds.formatted(digits: 3),
                    "\((server.cpuSpread * 100).formatted(digits: 0)) %",
                ] + ratios)
        }
        return "\(name): \(load); medians of \(rounds) rounds of \(duration.formatted(digits: 1)) s\n\(table)"
    }
}
