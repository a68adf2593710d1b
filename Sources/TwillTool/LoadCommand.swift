import ArgumentParser
import Foundation
import Logging
import Twill

/// `twill load`: puts a server under load, checks every reply, and says how fast it was.
struct LoadCommand: ParsableCommand {
    private static let connectionsMax = 1_000_000
    private static let messageBytesMax = 1 << 30
    private static let depthMax = 1 << 16
    /// What may be on its way at once, on all connections: more is a mistake in one of the three numbers, and takes memory.
    private static let inFlightBytesMax = 64 << 30
    /// Descriptors that are no connections: the standard ones, the loop's own, the report.
    private static let otherDescriptors = 16

    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Put an echo server under load and check every reply.",
        discussion: """
            Each connection keeps --depth messages in flight: it sends the next one when a reply has come (a closed loop). A reply must be \
            the same bytes as its message, and every byte is compared. Works with any server that echoes raw bytes, lines, netstrings or \
            Int32 strings.

            With --rate it is an open loop: messages are sent when they are due, of which --depth are in flight on a connection at the most. \
            It keeps a core busy, so that none leaves late.

            The latency is the time from writing a message to the end of its reply. Percentiles leave the warm-up out. One megabyte (MB) is \
            a million bytes, counted in one direction.

            Examples:

              twill load tcp:127.0.0.1:8007
              twill load tcp:127.0.0.1:8007 --connections 1000 --duration 30s
              twill load unix:/tmp/echo --framing line --depth 32
              twill load tls:localhost:8443:roots=server.pem
              twill load tcp:127.0.0.1:8007 --messages 100000 --json report.json
              twill load tcp:127.0.0.1:8007 --rate 20000 --depth 64 --report report.html --compare before.json

            Errors are replies that were wrong or did not come. The exit status is 1 if there was any, or if any connection could not be \
            made or was lost; the table is printed all the same.
            """)

    @Argument(
        help: ArgumentHelp(
            "The server, as tcp:HOST:PORT, an IPv6 host in brackets, tls:HOST:PORT, or unix:PATH; behind it may follow timeout=SECONDS.",
            valueName: "endpoint"),
        transform: streamClient)
    var endpoint: any StreamClientEndpoint

    @Option(
        help: ArgumentHelp(
            """
            What a message is: raw bytes, a line that ends with CR LF, a netstring, or an Int32 string, which is its length as four \
            big-endian bytes and then itself. (default: raw)
            """, valueName: "raw|line|netstring|int32"),
        transform: LoadFraming.init(parsing:))
    var framing = LoadFraming.raw

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many connections to open; all are made before the clock starts.", valueName: "n"))
    var connections = 64

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            The size of a message on the wire in bytes, its framing included: a line of 64 has 62 characters, CR and LF. Where no netstring \
            has exactly this size, it is one byte less.
            """,
            valueName: "bytes"))
    var size = 64

    @Option(parsing: .unconditional, help: ArgumentHelp("How many messages each connection keeps in flight.", valueName: "n"))
    var depth = 1

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long to measure: 10s, 500ms, 1.5m; a bare number counts seconds. (default: 10s)", valueName: "time"),
        transform: DurationArgument.init(parsing:))
    var duration = DurationArgument(.seconds(10))

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long to load before measuring begins. (default: 1s, with --messages 0s)", valueName: "time"),
        transform: DurationArgument.init(parsing:))
    var warmup: DurationArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Send exactly so many messages in all, however long it takes, instead of --duration.", valueName: "n"))
    var messages: Int?

    @Option(help: ArgumentHelp("Also write the result to this file, as JSON.", valueName: "file"))
    var json: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Send so many messages a second in all, whether replies come or not (an open loop). A latency then counts from the moment at which \
            its message was meant to be sent, so that a server's standstill is charged with everyone who would have come meanwhile.
            """, valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("Also write the course of the load to this file, as lines with commas.", valueName: "file"))
    var csv: String?

    @Option(
        help: ArgumentHelp(
            "Also write a page with pictures to this file: throughput, latencies by percentile and over time. It needs no network.",
            valueName: "file"))
    var report: String?

    @Option(help: ArgumentHelp("Compare with an earlier result, which --json has written.", valueName: "file"))
    var compare: String?

    func validate() throws {
        try require(connections, "--connections", within: 1...Self.connectionsMax)
        let minimum = framing.messageBytesMin
        let reason = minimum > 1 ? ", because the shortest \(framing.rawValue) message has \(minimum) bytes" : ""
        try require(size, "--size", within: minimum...Self.messageBytesMax, reason)
        try require(depth, "--depth", within: 1...Self.depthMax)
        guard Double(connections) * Double(size) * Double(depth) <= Double(Self.inFlightBytesMax) else {
            throw ValidationError("--connections times --size times --depth is more than 64 GiB in flight; lower one of them")
        }
        if let messages { try require(messages, "--messages", within: 1...Int.max) }
        guard duration.duration > .zero else {
            throw ValidationError("--duration must be longer than zero; write 500ms, say, or leave it out for 10s")
        }
        if let rate, !(0.01...10_000_000).contains(rate) {
            throw ValidationError("--rate is \(rate) but must be from 0.01 to 10000000 messages a second")
        }
        for (option, path) in [("--json", json), ("--csv", csv), ("--report", report)] {
            if let path { try ReportFile.check(path, of: option) }
        }
        if let compare { _ = try LoadComparison.read(compare) }
    }

    private func require(_ value: Int, _ option: String, within range: ClosedRange<Int>, _ reason: String = "") throws {
        guard !range.contains(value) else { return }
        let bounds = range.upperBound == .max ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        throw ValidationError("\(option) is \(value) but must be \(bounds)\(reason)")
    }

    func run() throws {
        let limit = DescriptorLimit.raise()
        guard connections <= limit - Self.otherDescriptors else {
            let cause = "this process may only open \(limit) files"
            throw ValidationError("--connections is \(connections) but \(cause); raise that limit (ulimit -n) or ask for fewer")
        }
        let reactor = try LibeventReactor(logger: Logs.start(level: .warning))
        let load = LoadRun(plan, reactor: reactor)
        let progress = Output.hasTerminal ? LoadProgress(load, reactor: reactor) : nil
        progress?.start()
        try load.run()
        progress?.clear()
        try finish(load)
    }

    private var plan: LoadPlan {
        LoadPlan(
            endpoint: endpoint, framing: framing, connections: connections, messageBytes: size, depth: depth,
            rate: rate, warmup: warmup?.duration ?? (messages == nil ? .seconds(1) : .zero),
            amount: messages.map { .messages($0) } ?? .duration(duration.duration))
    }

    /// Prints and writes the result, and fails where the load did.
    private func finish(_ load: LoadRun) throws {
        let tally = load.tally
        if !load.hasStarted, let problem = tally.firstProblem { throw ToolFailure(problem) }
        let result = LoadReport(load)
        Output.say(result.table(connected: tally.connectionsMade))
        var other: (report: LoadReport, name: String)?
        if let compare {
            let read = try LoadComparison.read(compare)
            other = (read, compare)
            Output.say(LoadComparison.table(result, with: read, named: compare))
        }
        if let json { try ReportFile.write(result.json(), to: json) }
        if let csv { try ReportFile.write(Data(LoadCSV.text(result).utf8), to: csv) }
        if let report { try ReportFile.write(Data(LoadPage(report: result, series: tally.series, other: other).html.utf8), to: report) }
        guard let problem = tally.firstProblem else { return }
        let isOnlyOne = tally.errors + tally.connectionsFailed == 1
        let sum = "\(tally.errors) errors and \(tally.connectionsFailed) failed connections in all"
        throw ToolFailure(isOnlyOne ? problem : "\(problem); \(sum)")
    }
}
