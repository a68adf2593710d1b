import ArgumentParser
import Foundation

/// `bench syscalls`: which system calls a server makes for a message, and how many of each.
struct SyscallsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "syscalls",
        abstract: "Counts system calls per message, by name, with strace.",
        discussion: """
            Runs each server under `strace -c -f` twice, with N and with 2N messages, and divides the differences by N. A server that waits for \
            readiness needs two calls per message, one to receive and one to send; waiting is shared by all connections that are ready at \
            once, so how often it is called depends on the load and is printed but not judged.

              bench syscalls                       the tables
              bench syscalls --messages 20000      the same, smoother
              bench syscalls --server twill        only one of the servers

            Gates, for an echo of 64 bytes: Twill makes at most \(SyscallsCommand.callsMax) calls besides waiting, and never calls epoll_ctl. \
            Lines, and what it does by tasks, are for information.
            """
    )

    @Option(help: ArgumentHelp("N, the messages of the shorter run.", valueName: "count"))
    var messages = 8192

    @OptionGroup var choice: ScenarioChoice
    @OptionGroup var common: CommonOptions

    /// Times are of no interest here, so two scenarios are enough: one wake-up per message, and many messages per wake-up.
    private static let scenarios: [Scenario] = [.echo64, .line64]
    private static let callsMax = 2.0
    private static let waiting: Set<String> = ["epoll_wait", "epoll_pwait", "epoll_pwait2"]

    func validate() throws {
        try Counting.validate(messages: messages)
    }

    func run() throws {
        let scenarios = try choice.among(Self.scenarios)
        let programs = try Programs(common, for: scenarios.flatMap(\.servers))
        let strace = try Tool.strace.path()
        try DescriptorLimit.raise()
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let counting = Counting(programs: programs, load: LoadTester(twill: programs.twill, folder: folder))

        var gates: [Gate] = []
        for scenario in scenarios {
            var calls: [Server: [String: Double]] = [:]
            for server in scenario.servers {
                let file = folder.file("\(server.name)-\(scenario.name).strace")
                let once = try StraceSummary(counting, server, scenario, messages: messages, strace: strace, file: file)
                let twice = try StraceSummary(counting, server, scenario, messages: messages * 2, strace: strace, file: file)
                calls[server] = twice.callsPerMessage(beyond: once, messages: messages)
            }
            let gated = scenario.name == Scenario.echo64.name ? calls[.twill] : nil
            let ownGates = gated.map(gates(of:)) ?? []
            print("system calls per message, \(scenario.name): \(scenario.summary)\n\(table(calls, scenario.servers, ownGates))\n")
            gates += ownGates
        }
        try common.judge(gates)
    }

    private func besidesWaiting(_ calls: [String: Double]) -> Double {
        calls.filter { !Self.waiting.contains($0.key) }.values.reduce(0, +)
    }

    private func gates(of calls: [String: Double]) -> [Gate] {
        [
            Gate("system calls besides waiting", value: besidesWaiting(calls), limit: Self.callsMax),
            Gate("epoll_ctl calls", value: calls["epoll_ctl"] ?? 0, limit: 0),
        ]
    }

    private func table(_ calls: [Server: [String: Double]], _ servers: [Server], _ gates: [Gate]) -> Table {
        var table = Table(["call"] + servers.map(\.name))
        func add(_ name: String, _ figure: ([String: Double]) -> Double) {
            table.add([name] + servers.map { figure(calls[$0] ?? [:]).formatted(digits: 2) })
        }
        // What makes no hundredth of a call per message in any server is not part of serving one.
        let shown = calls.values.flatMap { $0.filter { $0.value >= 0.005 }.keys }
        for name in Set(shown).sorted() { add(name) { $0[name] ?? 0 } }
        add("all") { $0.values.reduce(0, +) }
        add("besides waiting", besidesWaiting)
        for gate in gates { table.add([gate.name] + servers.map { $0 == .twill ? gate.description : "" }) }
        return table
    }
}
