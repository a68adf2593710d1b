/// `udp-load`: the load generator of datagrams, which checks every reply.
struct UDPLoad {
    let program: String
    /// What it is started behind: `taskset -c 1`, or nothing.
    let wrapper: [String]
    let seconds: Double

    /// What one run counted.
    struct Tally: Decodable {
        let replies: Int
        let lost: Int
        let errors: Int
        let seconds: Double
    }

    /// Loads a server. Datagrams may be lost, a few of them; one that comes back changed fails the run.
    func run(_ scenario: UDPScenario, against server: ServerProcess) throws -> Tally {
        let about = "udp-load on \(server.name), \(scenario.name)"
        let tally: Tally = try LoadGenerator.run(
            wrapper + [
                program, "--size", String(scenario.datagramBytes), "--window", String(scenario.window), "--milliseconds",
                String(Int(seconds * 1000)),
            ], name: "udp-load", about: about, on: server, atMost: seconds + 60
        ) { $0.errors == 0 && $0.replies > 0 && $0.seconds > 0 }
        guard tally.lost * 100 <= tally.replies else {
            throw BenchError.failed(
                "\(about): \(tally.lost) datagrams were lost, and \(tally.replies) came back; is the machine that busy?")
        }
        return tally
    }
}
