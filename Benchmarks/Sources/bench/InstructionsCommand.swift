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

              bench instructions               the table
              bench instructions --keep DIR    and where they are spent:
              callgrind_annotate DIR/twill-echo-64-2n.out

            Gates: Twill takes at most \(Int(InstructionsCommand.echoInstructionsMax)) instructions for an echo of 64 bytes, and at most \
            \(Int(InstructionsCommand.lineInstructionsMax)) for a line of 64 bytes with 32 in flight. Netstrings and Int32 strings are for \
            information.
            """
    )

    @Option(help: ArgumentHelp("N, the messages of the shorter run.", valueName: "count"))
    var messages = 40_960

    @Option(help: ArgumentHelp("Keep callgrind's files in this folder.", valueName: "folder"))
    var keep: String?

    @OptionGroup var common: CommonOptions

    private static let echoInstructionsMax = 600.0
    private static let lineInstructionsMax = 200.0

    /// The loads that are counted, and what Twill may take for a message of each; nil where the figure is only printed. Times are of no
    /// interest here: one scenario has a wake-up per message, and the others many messages per wake-up, one for each framing.
    private static let counted: [(scenario: Scenario, instructionsMax: Double?)] = [
        (.echo64, echoInstructionsMax), (.line64, lineInstructionsMax), (.netstring64, nil), (.int32String64, nil),
    ]

    func validate() throws {
        try Counting.validate(messages: messages)
    }

    func run() throws {
        let programs = try Programs(common)
        try DescriptorLimit.raise()
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let profiles = try TemporaryFolder(keeping: keep)
        defer { profiles.remove() }
        let callgrind = try Callgrind(profiles: profiles)
        let counting = try Counting(programs: programs.stripped(into: folder), load: LoadTester(twill: programs.twill, folder: folder))

        let results = try Self.counted.map { scenario, _ in
            try ByServer { server in
                let totals = try [1, 2].map { times in
                    try callgrind.count("\(server.name)-\(scenario.name)-\(times)n") { wrapper in
                        try counting.run(server, under: scenario, messages: messages * times, wrapper: wrapper)
                    }
                }
                return (totals[1] - totals[0]) / Double(messages)
            }
        }
        var gates: [Gate] = []
        var table = Table(["user instructions per message"] + Server.allCases.map(\.name) + [""])
        for ((scenario, instructionsMax), counts) in zip(Self.counted, results) {
            let gate = instructionsMax.map { Gate("instructions, \(scenario.name)", value: counts.twill, limit: $0, digits: 0) }
            if let gate { gates.append(gate) }
            let figures = Server.allCases.map { counts[$0].formatted(digits: 0) }
            table.add(["\(scenario.name): \(scenario.summary)"] + figures + [gate?.description ?? ""])
        }
        print(table)
        if keep != nil { print("callgrind's files are in \(profiles.path); read them with callgrind_annotate") }
        try common.judge(gates)
    }
}
