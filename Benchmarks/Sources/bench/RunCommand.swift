import ArgumentParser
import Foundation

/// `bench run`: CPU time per message, throughput and latency of the servers under load.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Measures CPU time per message, throughput and latency under load.",
        discussion: """
            For every scenario, round and server: a fresh server pinned to one core, `twill load` pinned to another, and the server's own \
            user and system time over the load divided by the messages that came back. The servers take turns within a \
            round and a different one begins each round, so that whatever else the machine does hits all of them alike. Printed are the medians \
            over the rounds.

              bench run                                everything, about ten minutes
              bench run --rounds 3 --duration 1        a first look, three minutes
              bench run --scenario echo-64 line-64     only these two
              bench run --server twill twill-async     only these two
              bench run --json today.json              keeps every round

            The servers:

            \(RunCommand.serverList)

            The scenarios. Bytes are those on the wire, framing included.

            \(RunCommand.scenarioList)

            \(Server.standard.map(\.name).joined(separator: ", ")) take part in each of them, the others in:

            \(RunCommand.contestantList)

            The gates, the most that a server's CPU time per message may be as a part of another's. Every other ratio is printed all the same.

            \(RunCommand.gateList)

            The column `spread` says how far a server's rounds lie apart. A difference smaller than that is none; take more rounds.
            """
    )

    @Option(help: ArgumentHelp("How often each server is measured in each scenario.", valueName: "count"))
    var rounds = 5

    @Option(
        help: ArgumentHelp(
            "How long one measurement lasts, after half a second of warm-up: 3 or 3s. (default: 3)", valueName: "seconds"),
        transform: RunCommand.seconds(parsing:))
    var duration = 3.0

    @OptionGroup var choice: ScenarioChoice
    @OptionGroup var report: ReportOptions
    @OptionGroup var cores: CoreOptions
    @OptionGroup var common: CommonOptions

    private static let warmupSeconds = 0.5

    /// Reads `0.5` and `0.5s`, as twill does, so that one DURATION fits every target of the Makefile.
    static func seconds(parsing text: String) throws -> Double {
        guard let seconds = Double(text.hasSuffix("s") ? String(text.dropLast()) : text) else {
            throw ValidationError("give seconds, such as 3 or 0.5s")
        }
        return seconds
    }

    private static var scenarioList: String {
        var table = Table(["  NAME", "bytes", "socket", "framing", "connections", "depth"])
        for scenario in Scenario.all {
            table.add([
                "  \(scenario.name)", String(scenario.messageBytes), scenario.socket.rawValue, scenario.framing.rawValue,
                String(scenario.connections), String(scenario.depth),
            ])
        }
        return table.description
    }

    private static var serverList: String {
        let width = Server.allCases.map(\.name.count).max() ?? 0
        return Server.allCases.map { server in
            "  \(server.name)\(String(repeating: " ", count: width - server.name.count))  \(server.summary)"
        }.joined(separator: "\n")
    }

    private static var contestantList: String {
        Scenario.all.compactMap { scenario in
            let others = scenario.servers.filter { !Server.standard.contains($0) }
            return others.isEmpty ? nil : "  \(scenario.name): \(others.map(\.name).joined(separator: ", "))"
        }.joined(separator: "\n")
    }

    private static var gateList: String {
        Scenario.all.flatMap { scenario in
            scenario.limits.map { limit in
                "  \(scenario.name): \(limit.server.name) <= \(limit.ratioMax.formatted(digits: 2)) of \(limit.peer.name)"
            }
        }.joined(separator: "\n")
    }

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds) is out of range; give 1 to 1000.") }
        guard duration > 0, duration <= 3600 else {
            throw ValidationError("--duration \(duration) is out of range; give seconds, up to 3600.")
        }
    }

    func run() throws {
        let scenarios = try choice.among(Scenario.all)
        let programs = try Programs(common, for: scenarios.flatMap(\.servers))
        let wrappers = try cores.wrappers()
        try DescriptorLimit.raise()
        let folder = try TemporaryFolder()
        defer { folder.remove() }

        let measurement = LoadMeasurement(
            programs: programs,
            serverWrapper: wrappers.server,
            load: LoadTester(twill: programs.twill, wrapper: wrappers.load, folder: folder),
            amount: .seconds(duration, warmup: Self.warmupSeconds)
        )
        let allRuns = rounds * scenarios.reduce(0) { $0 + $1.servers.count }
        var done = 0
        var results: [ScenarioResult] = []
        for scenario in scenarios {
            var runs: [Server: [LoadRun]] = [:]
            for round in 0..<rounds {
                for server in scenario.servers.turns(ofRound: round) {
                    let run = try measurement.measure(server, under: scenario)
                    runs[server, default: []].append(run)
                    done += 1
                    Progress.say(
                        "[\(done)/\(allRuns)] \(scenario.name) round \(round + 1)/\(rounds) \(server.name): "
                            + "\(run.messagesPerSecond.formatted(digits: 0)) messages/s, "
                            + "\(run.cpuMicrosecondsPerMessage.formatted(digits: 3)) us of CPU per message")
                }
            }
            let result = ScenarioResult(scenario: scenario, runs: runs)
            print(result.description(rounds: rounds, duration: duration) + "\n")
            results.append(result)
        }
        try report.write(RunReport(rounds: rounds, durationSeconds: duration, scenarios: results))
        try common.judge(results.flatMap(\.gates))
    }
}
