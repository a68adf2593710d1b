import ArgumentParser
import Foundation

/// `bench reactors`: what several reactors in one process are worth, and what a message costs on each.
struct ReactorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reactors",
        abstract: "Measures one reactor against several in one process.",
        discussion: """
            For every load and round a fresh server with one reactor, and one with several, in turns. Nothing is pinned: server and load share all \
            cores, and the load goes first (the server runs under `nice`), so that the server always has work and gets what the load leaves.

              bench reactors                  half a minute
              bench reactors --reactors 4     on a machine with more cores

            `echo-64` has one message of 64 bytes on its way on each connection, and costs the load about as much as the server. `line-64x64` sends lines \
            by the batch, which costs the load less. Printed are medians over the rounds: messages per second; the server's CPU time for each; for how \
            much of the time a reactor's thread ran, and for how much it ran or wanted to run. Where that is 100 % and the messages per second are not as \
            many times those of one reactor, the cores of the machine are the limit and not the server.

            Gates: a message costs at most 1.15 times what it costs on one reactor; the threads run or want to run for at least 90 % of the time; \
            and where the machine has two cores more than reactors, two of them serve at least 1.7 times the messages per second of one.
            """
    )

    @Option(help: ArgumentHelp("How many reactors are held against one.", valueName: "count"))
    var reactors = 2

    @Option(help: ArgumentHelp("How often each is measured under each load.", valueName: "count"))
    var rounds = 5

    @Option(
        help: ArgumentHelp("How long one measurement lasts: 1 or 1s. (default: 1)", valueName: "seconds"),
        transform: RunCommand.seconds(parsing:))
    var duration = 1.0

    @OptionGroup var report: ReportOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (2...256).contains(reactors) else { throw ValidationError("--reactors \(reactors) is out of range; give 2 to 256.") }
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds) is out of range; give 1 to 1000.") }
        guard duration >= 0.05, duration <= 3600 else {
            throw ValidationError("--duration \(duration) is out of range; give seconds, from 0.05 to 3600.")
        }
    }

    func run() throws {
        let nice = try Tool.nice.path()
        let server = try Programs.reactorsPeer("twill-reactors", common)
        let load = try BatchLoad(program: Programs.reactorsPeer("batch-load", common), seconds: duration)
        var results: [ReactorsResult] = []
        for scenario in ReactorsScenario.all {
            var runs: [Int: [ReactorsRun]] = [:]
            for round in 0..<rounds {
                for count in [1, reactors].turns(ofRound: round) {
                    let command = [nice, "-n", "10", server, scenario.mode, "--reactors", String(count)]
                    let run = try measure(ServerProcess(command, name: "\(count) reactors"), under: scenario, load)
                    runs[count, default: []].append(run)
                    Progress.say(
                        "\(scenario.name) round \(round + 1)/\(rounds) with \(count): "
                            + "\(run.messagesPerSecond.formatted(digits: 0)) messages/s, \(run.cpuMicrosecondsPerMessage.formatted(digits: 3)) us of CPU each"
                    )
                }
            }
            let result = ReactorsResult(scenario, one: runs[1] ?? [], several: runs[reactors] ?? [], count: reactors)
            print("\(result.description(rounds: rounds, duration: duration))\n")
            results.append(result)
        }
        try report.write(results)
        try common.judge(results.flatMap(\.gates))
    }

    private func measure(_ server: ServerProcess, under scenario: ReactorsScenario, _ load: BatchLoad) throws -> ReactorsRun {
        let (before, threadsBefore) = (try ProcessTimes.cpuMicroseconds(of: server), try ThreadTimes(of: server))
        let tally = try load.run(scenario, against: server)
        let (after, threadsAfter) = (try ProcessTimes.cpuMicroseconds(of: server), try ThreadTimes(of: server))
        try server.end()
        let threads = threadsAfter.busyThreads(since: threadsBefore, over: tally.seconds)
        return ReactorsRun(
            messagesPerSecond: Double(tally.messages) / tally.seconds, cpuMicrosecondsPerMessage: (after - before) / Double(tally.messages),
            runningPerThread: threads.map(\.ran), wantingPerThread: threads.map { $0.ran + $0.waited })
    }
}
