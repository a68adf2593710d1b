import ArgumentParser
import Foundation

/// `bench memory`: what a connection that does nothing costs a server.
struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Measures resident bytes per idle connection.",
        discussion: """
            Starts each server, lets a few connections come and go so that start-up costs don't count, opens many connections and leaves them \
            idle. The server's resident memory (Rss in /proc/PID/smaps_rollup) is read before and after, both times once it is steady, and \
            the difference divided by the connections. The kernel's own memory for a socket is the same for all and not in the figure.

              bench memory                         10 000 connections, a quarter of a minute
              bench memory --connections 1000      where `ulimit -Hn` is low

            Gates: Twill takes at most \(Int(MemoryCommand.bytesMax)) bytes, and at most half of what a textbook bufferevent takes. With a \
            task for each connection it takes at most \(Int(MemoryCommand.bytesWithTaskMax)), the task included.
            """
    )

    @Option(help: ArgumentHelp("Idle connections to open to each server.", valueName: "count"))
    var connections = 10_000

    @OptionGroup var choice: ServerChoice
    @OptionGroup var common: CommonOptions

    /// Nobody is under load; what is started is each server's echo.
    private static let scenario = Scenario.echo64
    private static let bytesMax = 512.0
    private static let bytesWithTaskMax = 2500.0
    /// Every other figure is only printed.
    private static let limits: [Server: Double] = [.twill: bytesMax, .twillAsync: bytesWithTaskMax]
    private static let bufferEventRatioMax = 0.5
    private static let warmupConnections = 8

    func validate() throws {
        guard (100...1_000_000).contains(connections) else {
            throw ValidationError("--connections \(connections) is out of range; give 100 to 1000000, many enough to fill whole pages.")
        }
    }

    func run() throws {
        let servers = choice.among(Self.scenario.servers)
        guard !servers.isEmpty else { throw ValidationError("None of the servers given is an echo; leave --server out for all that are.") }
        let programs = try Programs(common, for: servers)
        try DescriptorLimit.raise()
        try DescriptorLimit.require(connections: connections)

        var bytes: [Server: Double] = [:]
        for server in servers {
            let measured = try residentBytesPerConnection(of: server, programs: programs)
            Progress.say("\(server.name): \(measured.formatted(digits: 0)) bytes per idle connection")
            bytes[server] = measured
        }
        var gates: [Gate] = []
        var table = Table(["server", "bytes/connection", Server.bufferEvent.heading])
        for server in servers {
            guard let own = bytes[server] else { continue }
            let limit = Self.limits[server]
            let gate = limit.map { Gate("resident bytes, \(server.name)", value: own, limit: $0, digits: 0) }
            let ratio = bytes[.bufferEvent].map { own / $0 }
            let ratioGate = server == .twill ? ratio.map(Self.ratioGate) : nil
            gates += [gate, ratioGate].compactMap(\.self)
            table.add([
                server.name, gate?.description ?? own.formatted(digits: 0),
                ratioGate?.description ?? ratio?.formatted(digits: 2) ?? "",
            ])
        }
        print("resident memory, \(connections) idle connections\n\(table)")
        try common.judge(gates)
    }

    private static func ratioGate(_ ratio: Double) -> Gate {
        Gate("resident bytes, \(Server.twill.name) vs \(Server.bufferEvent.name)", value: ratio, limit: bufferEventRatioMax)
    }

    private func residentBytesPerConnection(of server: Server, programs: Programs) throws -> Double {
        let process = try ServerProcess(server, for: Self.scenario, programs: programs)
        let warmup = IdleConnections()
        try warmup.open(Self.warmupConnections, to: process)
        try warmup.exchangeByte()
        warmup.close()
        try ProcessDescriptors.waitForClosing(of: process)

        let before = try steadyResidentBytes(of: process)
        let idle = IdleConnections()
        try idle.open(connections, to: process)
        try waitForConnections(to: process)
        let after = try steadyResidentBytes(of: process)

        // The server goes first, or it would be busy closing while the next one is measured.
        try process.end()
        idle.close()
        return Double(after - before) / Double(connections)
    }

    private func waitForConnections(to process: ServerProcess) throws {
        var accepted = 0
        let isThere = try waitUntil(atMost: 30, every: 0.05) {
            accepted = try ProcessDescriptors.sockets(of: process) - process.socketsWhenReady
            return accepted >= connections
        }
        guard isThere else {
            throw BenchError.failed(
                "\(process.name) has accepted \(accepted) of \(connections) connections after 30 s; "
                    + "is its limit on connections or open files lower?")
        }
    }

    /// The resident memory once four readings in a row are the same. After five seconds the last one is taken as it is.
    private func steadyResidentBytes(of process: ServerProcess) throws -> Int {
        var last = 0
        var equalReadings = 0
        _ = try waitUntil(atMost: 5, every: 0.1) {
            let now = try ProcessMemory.residentBytes(of: process)
            equalReadings = now == last ? equalReadings + 1 : 1
            last = now
            return equalReadings == 4
        }
        return last
    }
}
