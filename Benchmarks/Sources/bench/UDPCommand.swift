import ArgumentParser

/// `bench udp`: CPU time per datagram of three UDP echoes under load.
struct UDPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "udp",
        abstract: "Measures CPU time per datagram under load.",
        discussion: """
            For every scenario, round and server: a fresh server pinned to one core, `udp-load` pinned to another, and the server's own user and \
            system time divided by the datagrams that came back. The servers take turns within a round, and a different one begins each. \
            Printed are the medians over the rounds.

              bench udp                            about a minute
              bench udp --rounds 3 --duration 0.5  a first look
              bench udp --json today.json          keeps every round

            The two peers wait in recvfrom and recvmmsg themselves, and so for one socket alone. Twill has an event loop, with connections and \
            timers beside.

            Gate: with 128 datagrams of 64 bytes on their way, Twill takes at most as much CPU time for each as recvfrom and sendto do.
            """
    )

    @Option(help: ArgumentHelp("How often each server is measured in each scenario.", valueName: "count"))
    var rounds = 5

    @Option(
        help: ArgumentHelp("How long one measurement lasts: 1 or 1s. (default: 1)", valueName: "seconds"),
        transform: RunCommand.seconds(parsing:))
    var duration = 1.0

    @OptionGroup var report: ReportOptions
    @OptionGroup var cores: CoreOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds) is out of range; give 1 to 1000.") }
        guard duration >= 0.01, duration <= 3600 else {
            throw ValidationError("--duration \(duration) is out of range; give seconds, from 0.01 to 3600.")
        }
    }

    func run() throws {
        let twill = try Programs(common, for: []).twill
        let udpEcho = try Programs.udpPeer("udp-echo", common)
        let wrappers = try cores.wrappers()
        let load = try UDPLoad(program: Programs.udpPeer("udp-load", common), wrapper: wrappers.load, seconds: duration)
        var results: [UDPResult] = []
        for scenario in UDPScenario.all {
            var runs: [UDPServer: [UDPRun]] = [:]
            for round in 0..<rounds {
                for server in UDPServer.allCases.turns(ofRound: round) {
                    let command = wrappers.server + server.command(twill: twill, udpEcho: udpEcho)
                    let run = try measure(ServerProcess(command, name: server.rawValue), under: scenario, load)
                    runs[server, default: []].append(run)
                    Progress.say(
                        "\(scenario.name) round \(round + 1)/\(rounds) \(server.rawValue): "
                            + "\(run.cpuMicrosecondsPerDatagram.formatted(digits: 3)) us of CPU per datagram")
                }
            }
            let result = UDPResult(scenario, runs)
            print("\(result.description(rounds: rounds, duration: duration))\n")
            results.append(result)
        }
        try report.write(results)
        try common.judge(results.compactMap(\.gate))
    }

    private func measure(_ server: ServerProcess, under scenario: UDPScenario, _ load: UDPLoad) throws -> UDPRun {
        let before = try ProcessTimes.cpuMicroseconds(of: server)
        let tally = try load.run(scenario, against: server)
        let after = try ProcessTimes.cpuMicroseconds(of: server)
        try server.end()
        return UDPRun(
            datagramsPerSecond: Double(tally.replies) / tally.seconds, cpuMicrosecondsPerDatagram: (after - before) / Double(tally.replies),
            lost: tally.lost)
    }
}
