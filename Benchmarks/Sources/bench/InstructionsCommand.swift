import ArgumentParser
import Foundation

/// `bench instructions`: how many instructions of its own a server runs for a message. Exact, and the same on every run.
struct InstructionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instructions",
        abstract: "Counts user instructions per message with valgrind's callgrind.",
        discussion: """
            Runs each server under callgrind twice, with N and with 2N messages, and divides the difference of the two totals by N. The kernel's \
            instructions are not in the figure: it is our own code alone, which is a few percent of the time and all that we can \
            change. Two runs differ by a few instructions, because how many messages one wake-up finds differs.

              bench instructions                                                  the table, three minutes
              bench instructions --scenario echo-64 --server twill twill-async    two figures of it
              bench instructions --keep DIR                                       and where they are spent:
              callgrind_annotate DIR/twill-echo-64-2n.out

            Gates: Twill takes at most \(Int(InstructionsCommand.echoInstructionsMax)) instructions for an echo of 64 bytes, and at most \
            \(Int(InstructionsCommand.lineInstructionsMax)) for a line of 64 bytes with 32 in flight. What it takes for netstrings and Int32 \
            strings, and by tasks, is for information.
            """
    )

    @Option(help: ArgumentHelp("N, the messages of the shorter run.", valueName: "count"))
    var messages = 40_960

    @Option(help: ArgumentHelp("Keep callgrind's files in this folder.", valueName: "folder"))
    var keep: String?

    @OptionGroup var choice: ScenarioChoice
    @OptionGroup var common: CommonOptions

    private static let echoInstructionsMax = 600.0
    private static let lineInstructionsMax = 200.0

    /// The loads that are counted. Times are of no interest here: one scenario has a wake-up per message, and the others many messages per
    /// wake-up, one for each framing.
    private static let scenarios: [Scenario] = [.echo64, .line64, .netstring64, .int32String64]

    /// What Twill's callbacks may take for a message; every other figure is only printed.
    private static let instructionsMax = [Scenario.echo64.name: echoInstructionsMax, Scenario.line64.name: lineInstructionsMax]

    func validate() throws {
        try Counting.validate(messages: messages)
    }

    func run() throws {
        let scenarios = try choice.among(Self.scenarios)
        let servers = Server.allCases.filter { server in scenarios.contains { $0.servers.contains(server) } }
        let programs = try Programs(common, for: servers)
        try DescriptorLimit.raise()
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let profiles = try TemporaryFolder(keeping: keep)
        defer { profiles.remove() }
        let callgrind = try Callgrind(profiles: profiles)
        let counting = try Counting(
            programs: programs.stripped(servers, into: folder), load: LoadTester(twill: programs.twill, folder: folder))

        var rows: [Server: [String]] = [:]
        var gates: [Gate] = []
        for scenario in scenarios {
            for server in servers {
                guard scenario.servers.contains(server) else {
                    rows[server, default: []].append("")
                    continue
                }
                let count = try instructionsPerMessage(of: server, under: scenario, callgrind, counting)
                let limit = server == .twill ? Self.instructionsMax[scenario.name] : nil
                let gate = limit.map { Gate("instructions, \(scenario.name)", value: count, limit: $0, digits: 0) }
                if let gate { gates.append(gate) }
                rows[server, default: []].append(gate?.description ?? count.formatted(digits: 0))
            }
        }
        var table = Table(["user instructions per message"] + scenarios.map(\.name))
        for server in servers { table.add([server.name] + (rows[server] ?? [])) }
        for scenario in scenarios { print("\(scenario.name): \(scenario.summary)") }
        print("\n\(table)")
        if keep != nil { print("callgrind's files are in \(profiles.path); read them with callgrind_annotate") }
        try common.judge(gates)
    }

    private func instructionsPerMessage(
        of server: Server, under scenario: Scenario, _ callgrind: Callgrind, _ counting: Counting
    ) throws -> Double {
        let totals = try [1, 2].map { times in
            try callgrind.count("\(server.name)-\(scenario.name)-\(times)n") { wrapper in
                try counting.run(server, under: scenario, messages: messages * times, wrapper: wrapper)
            }
        }
        return (totals[1] - totals[0]) / Double(messages)
    }
}
