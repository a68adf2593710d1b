import ArgumentParser
import Foundation

/// `bench framers`: what taking a stream apart costs, without a socket.
struct FramersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "framers",
        abstract: "Measures the framers and receivers by themselves: nanoseconds and instructions per frame.",
        discussion: """
            Feeds each of them chunks of nearly 64 KiB with messages of 64 bytes, in a process of its own and without a socket. Times are the \
            thread's own, medians of interleaved rounds. Instructions are exact: each is run under callgrind twice, with N and with 2N \
            frames, and the difference divided by N.

              bench framers                the table, less than a minute
              bench framers --times-only   without valgrind

            Gate: the line framer finds at least \(Int(FramersCommand.lineRateMin)) million lines a second.
            """
    )

    @Option(help: ArgumentHelp("How many rounds; every framer has its turn in each.", valueName: "n"))
    var rounds = 5

    @Flag(help: "Don't count instructions.")
    var timesOnly = false

    @OptionGroup var common: CommonOptions

    private static let lineRateMin = 20.0
    private static let framesPerRound = 2_000_000
    private static let framesCounted = 100_000

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds) is out of range; give 1 to 1000.") }
    }

    func run() throws {
        let program = try Programs.framerBench(common)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let names = try output(of: [program]).split(whereSeparator: \.isNewline).map(String.init)
        var times: [String: [Double]] = [:]
        for round in 1...rounds {
            Progress.say("round \(round) of \(rounds)")
            for name in names {
                times[name, default: []].append(try nanoseconds(of: [program, name, "\(Self.framesPerRound)"]))
            }
        }
        var table = Table(["64-byte messages", "ns/frame", "spread", "million/s"] + (timesOnly ? [] : ["instructions/frame"]))
        var gates: [Gate] = []
        let instructions = timesOnly ? nil : try countInstructions(of: names, program, folder)
        for name in names {
            let rounds = times[name] ?? []
            let time = rounds.median ?? .nan
            var row = [name, time.formatted(digits: 1), "\(((rounds.spread ?? 0) * 100).formatted(digits: 0)) %"]
            if name == "line" {
                let gate = Gate("lines, millions a second", value: 1000 / time, .atLeast, limit: Self.lineRateMin, digits: 1)
                gates.append(gate)
                row.append(gate.description)
            } else {
                row.append((1000 / time).formatted(digits: 1))
            }
            if let instructions { row.append((instructions[name] ?? .nan).formatted(digits: 0)) }
            table.add(row)
        }
        print(table)
        try common.judge(gates)
    }

    private func countInstructions(of names: [String], _ program: String, _ folder: TemporaryFolder) throws -> [String: Double] {
        let callgrind = try Callgrind(profiles: folder)
        let program = try Programs.strip(program, into: folder)
        var counts: [String: Double] = [:]
        for name in names {
            Progress.say("\(name): instructions")
            let totals = try [1, 2].map { times in
                try callgrind.count("\(name)-\(times)n") { wrapper in
                    _ = try output(of: wrapper + [program, name, "\(Self.framesCounted * times)"])
                }
            }
            counts[name] = (totals[1] - totals[0]) / Double(Self.framesCounted)
        }
        return counts
    }

    private func nanoseconds(of command: [String]) throws -> Double {
        let text = try output(of: command).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let time = Double(text), time > 0 else { throw BenchError.failed("framer-bench printed \(text) instead of a time") }
        return time
    }

    private func output(of command: [String]) throws -> String {
        let child = try ChildProcess(command, name: "framer-bench")
        let status = try child.waitForEnd(atMost: 300)
        guard status.isSuccess else { throw BenchError.failed("framer-bench: it \(status.description); \(child.lastWords)") }
        return child.output.text
    }
}
