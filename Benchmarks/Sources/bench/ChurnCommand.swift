import ArgumentParser
import Foundation

/// `bench churn`: what a server makes of a million short connections in a row.
struct ChurnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Measures short connections: how many a second, and what the server keeps of them.",
        discussion: """
            A client connects, sends 64 bytes, checks that they come back, and closes; then the next one does. Each server is pinned to one \
            core and `churn-client`, which keeps so many connections in progress, to another. The servers stay up from the first connection to \
            the last, and take turns by slices of them: a different one begins each turn, so that whatever else the machine does hits all of \
            them alike. After each slice the server's descriptors, resident memory and CPU time are read.

              bench churn                           a million to each, two minutes
              bench churn --connections 100000      a first look
              bench churn --concurrency 1           one after another; its gates are meant for 64
              bench churn --json today.json         keeps every slice

            Any reply that is missing or wrong fails the run.

            Gates: Twill takes at least \(ChurnReport.ratioMin) times the connections per second that raw-epoll takes, has as many descriptors \
            after the last connection as before the first, and its resident memory grows by less than \(Int(ChurnReport.megabytesGrownMax)) MB \
            over the second half.
            """
    )

    @Option(help: ArgumentHelp("Connections to each server, all told.", valueName: "count"))
    var connections = 1_000_000

    @Option(help: ArgumentHelp("Connections in progress at a time.", valueName: "count"))
    var concurrency = 64

    @Option(help: ArgumentHelp("In how many slices the servers take turns; an even number.", valueName: "count"))
    var slices = 10

    @OptionGroup var report: ReportOptions
    @OptionGroup var cores: CoreOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (2...1000).contains(slices), slices.isMultiple(of: 2) else {
            throw ValidationError("--slices \(slices) is not possible; give an even number from 2 to 1000, so that there are two halves.")
        }
        guard (1000...1_000_000_000).contains(connections), connections.isMultiple(of: slices) else {
            throw ValidationError(
                "--connections \(connections) is not possible; give 1000 to 1000000000, and a multiple of the \(slices) slices.")
        }
        guard (1...4096).contains(concurrency) else {
            throw ValidationError("--concurrency \(concurrency) is out of range; give 1 to 4096, what a server's backlog holds.")
        }
    }

    func run() throws {
        let programs = try Programs(common, for: Server.standard)
        let wrappers = try cores.wrappers()
        let client = try ChurnClient(program: Programs.churnClient(common), wrapper: wrappers.load, concurrency: concurrency)
        try DescriptorLimit.raise()

        let servers = try Server.standard.map { try ChurnedServer($0, programs: programs, wrapper: wrappers.server) }
        for turn in 0..<slices {
            for server in servers.turns(ofRound: turn) {
                try say(server.churn(connections / slices, with: client), of: server.process.name, turn: turn)
            }
        }
        let result = ChurnReport(connections: connections, concurrency: concurrency, slices: slices, servers: servers)
        for server in servers { try server.process.end() }
        print(result)
        try report.write(result)
        try common.judge(result.gates)
    }

    private func say(_ slice: ChurnSlice, of server: String, turn: Int) {
        Progress.say(
            "[\(turn + 1)/\(slices)] \(server): \(slice.connectionsPerSecond.formatted(digits: 0)) connections/s, "
                + "\(slice.cpuMicrosecondsPerConnection.formatted(digits: 2)) us of CPU each; then \(slice.descriptors) descriptors, "
                + "\((Double(slice.residentBytes) / 1e6).formatted(digits: 2)) MB")
    }
}
