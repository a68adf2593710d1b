import ArgumentParser
import Foundation
import Logging
import Twill
import TwillTesting

/// `twill chaos`: forwards a port to another one over a network that is as bad as a seed makes it, until a signal stops it.
struct ChaosCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Forward connections, and do to them what a bad network does.",
        discussion: """
            Your client connects to it instead of to your server. Connections are refused, hang, are slow, are reset; what is sent comes in \
            pieces, late, or not to its end. The seed decides what happens to which connection at which byte, so that the same seed does it \
            again. No byte is ever changed, and none is lost but by the end of its connection.

            Examples:

              twill chaos --listen tcp:7001 --to tcp:127.0.0.1:7000 --seed 42
              twill chaos --listen tcp:7001 --to tcp:db.example.com:5432 --plan mild
              twill chaos --listen tcp:7001 --to unix:/run/x --plan my.json --quiet

            A plan of one's own is a JSON file with the rows one wants: how often in a million attempts to connect (refusals, hangs, \
            slowConnects, earlyResets), directions of a connection (byteByByte), or segments (splits, stalls, zeroWindows, ends, resets, \
            vanishes); rows for datagrams, names and hosts mean nothing here; how many seconds slow attempts and stalls take at the most; and where every connection ends:

              { "splits": 300000, "stalls": 1000, "slownessMax": 2,
                "cut": { "offset": 17, "ending": "reset" } }

            When the port is open, it prints its address, the seed and the plan, and then a line for each fault but splits, such as

              #3 client>server: reset after 1234 bytes

            until SIGTERM or SIGINT (Ctrl-C); then a summary, and the command that does the same again, and it ends with status 0. If the \
            port can't be opened, it says why and ends with status 1. Where the target can't be reached, the connection is closed and a line \
            on standard error says why.
            """)

    @Option(
        help: ArgumentHelp(
            """
            Where to listen: tcp:PORT for all addresses of this machine, tcp:HOST:PORT with a literal address, IPv6 in brackets, or \
            unix:PATH. Port 0 takes a free port. connectionsMax=N limits how many connections are forwarded at once.
            """, valueName: "endpoint"),
        transform: streamServer)
    var listen: any StreamServerEndpoint

    @Option(
        help: ArgumentHelp(
            """
            Where to connect to: tcp:HOST:PORT, an IPv6 host in brackets, or unix:PATH. A name is looked up for each connection. \
            tcp:PORT is a port of this machine. timeout=SECONDS says how long connecting may take. (default: 30)
            """, valueName: "endpoint"),
        transform: chaosTarget)
    var to: any StreamClientEndpoint

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where chance begins. (default: a new one each time, which is printed)", valueName: "n"),
        transform: seedNumber)
    var seed = UInt64.random(in: 0...999_999)

    @Option(
        help: ArgumentHelp(
            """
            What goes wrong: nothing; pieces and slowness, but no connection is lost; what the seed draws, which may be anything; or what a \
            file says. (default: swarm)
            """, valueName: "none|mild|swarm|file"),
        transform: ChaosPlan.init(parsing:))
    var plan = ChaosPlan.swarm

    @Option(
        help: ArgumentHelp(
            "What goes wrong with what the server sends, where that is something else. (default: as --plan says)",
            valueName: "none|mild|swarm|file"),
        transform: ChaosPlan.init(parsing:))
    var answers: ChaosPlan?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many bytes are a segment. Fewer are more faults, for programs whose messages are short.", valueName: "bytes"))
    var segment = 256

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long slow attempts and stalls take at the most, whatever the plan says: 500ms, 2s.", valueName: "time"),
        transform: DurationArgument.init(parsing:))
    var slowness: DurationArgument?

    @Flag(help: "Print no line for each fault.")
    var quiet = false

    @Flag(help: "Print splits too, and log what goes on inside, on standard error.")
    var verbose = false

    func validate() throws {
        guard segment > 0 else { throw ValidationError("--segment is \(segment) but must be at least 1") }
        guard !(quiet && verbose) else { throw ValidationError("--quiet and --verbose exclude each other; choose one") }
    }

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        DescriptorLimit.raise()
        let reactor = try LibeventReactor(logger: logger)
        let plan = limited(plan.drawn(by: seed))
        let answers = answers.map { limited($0.drawn(by: seed)) }
        let proxy = FaultyProxy(reactor: reactor, listen: listen, target: to, plan: plan, answers: answers, seed: seed)
        proxy.segmentBytes = segment
        proxy.whenFault = { [quiet, verbose] fault in
            if !quiet, verbose || fault.fault != .splits { Output.say("\(fault)") }
        }
        let port = try proxy.start()
        // Each connection takes two descriptors, of those that the reactor gives to connections.
        port.connectionsMax = min(port.connectionsMax ?? .max, max(1, reactor.connectionsMax / 2))
        reactor.callWhenRunning { [self] in
            Output.say("listening on \(port.address.endpoint())")
            Output.say("forwarding to \(to) with seed \(seed), \(plan.words)\(answers.map { "; answers: \($0.words)" } ?? "")")
        }
        try reactor.run()
        Output.say("\(proxy.statistics)")
        Output.say("again: \(replayLine)")
    }

    private func limited(_ plan: FaultPlan) -> FaultPlan {
        guard let slowness else { return plan }
        var plan = plan
        plan.slownessMax = min(plan.slownessMax, slowness.duration)
        return plan
    }

    /// The command that does the same again.
    private var replayLine: String {
        var words = [
            "twill chaos", "--listen", "\(listen)".shellWord, "--to", "\(to)".shellWord, "--seed \(seed)", "--plan", plan.name.shellWord,
        ]
        if let answers { words += ["--answers", answers.name.shellWord] }
        if segment != 256 { words.append("--segment \(segment)") }
        if let slowness { words.append("--slowness \(slowness)") }
        return words.joined(separator: " ")
    }
}

/// What `--plan` names.
enum ChaosPlan {
    case none, mild, swarm
    case file(String, FaultPlan)

    init(parsing text: String) throws {
        switch text {
        case "none": self = .none
        case "mild": self = .mild
        case "swarm": self = .swarm
        default:
            guard let json = try? String(contentsOf: URL(fileURLWithPath: text), encoding: .utf8) else {
                throw ValidationError("there is no file '\(text)' that can be read; plans are none, mild, swarm, or a JSON file")
            }
            do {
                self = .file(text, try FaultPlan(json: json))
            } catch let error as FaultPlanError {
                throw ValidationError("in '\(text)' \(error)")
            }
        }
    }

    /// How it is called on the command line.
    var name: String {
        switch self {
        case .none: "none"
        case .mild: "mild"
        case .swarm: "swarm"
        case .file(let path, _): path
        }
    }

    /// The plan; a swarm is another one for each seed.
    func drawn(by seed: UInt64) -> FaultPlan {
        switch self {
        case .none: .none
        case .mild: .mild
        case .swarm: .swarm(seed: seed)
        case .file(_, let plan): plan
        }
    }
}

extension FaultPlan {
    /// The rows that are not zero, in one line.
    fileprivate var words: String {
        let rates = [
            ("refusals", refusals), ("hangs", hangs), ("slowConnects", slowConnects), ("earlyResets", earlyResets),
            ("byteByByte", byteByByte),
            ("splits", splits), ("stalls", stalls), ("ends", ends), ("resets", resets), ("vanishes", vanishes),
        ]
        var words = rates.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
        if slowConnects > 0 || stalls > 0 { words.append("slownessMax \(DurationArgument(slownessMax))") }
        if let cut { words.append("cut at \(cut.offset) by \(cut.ending.rawValue)") }
        return words.isEmpty ? "no faults" : words.joined(separator: ", ")
    }
}

extension String {
    /// The text as one word of a shell's command line.
    fileprivate var shellWord: String {
        let plain =
            !isEmpty
            && unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || "0123456789:/.,=_-".unicodeScalars.contains($0)) }
        return plain ? self : "'\(replacing("'", with: "'\\''"))'"
    }
}

/// Where to connect to; a port alone is one of this machine.
private func chaosTarget(_ text: String) throws -> any StreamClientEndpoint {
    let port = text.dropFirst("tcp:".count)
    return try streamClient(text.hasPrefix("tcp:") && UInt16(port) != nil ? "tcp:127.0.0.1:\(port)" : text)
}

private func seedNumber(_ text: String) throws -> UInt64 {
    guard let seed = UInt64(text) else { throw ValidationError("a seed is a whole number from 0 to \(UInt64.max)") }
    return seed
}
