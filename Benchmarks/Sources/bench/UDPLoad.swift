import Foundation

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
        let command =
            try wrapper + [
                program, "--port", String(server.port()), "--size", String(scenario.datagramBytes), "--window", String(scenario.window),
                "--milliseconds", String(Int(seconds * 1000)),
            ]
        let child = try ChildProcess(command, name: "udp-load")
        let status = try child.waitForEnd(atMost: seconds + 60)
        let about = "udp-load on \(server.name), \(scenario.name)"
        guard status.isSuccess else {
            try server.requireAlive()
            throw BenchError.failed("\(about): it \(status.description); \(child.lastWords)")
        }
        // Whole once the child's end of the pipe is drained, which may be a moment after its end.
        var tally: Tally?
        _ = waitUntil(atMost: 5) {
            tally = try? JSONDecoder().decode(Tally.self, from: Data(child.output.text.utf8))
            return tally != nil
        }
        guard let tally, tally.errors == 0, tally.replies > 0, tally.seconds > 0 else {
            throw BenchError.failed("\(about): it said '\(child.output.text)'; use the udp-load beside this bench")
        }
        guard tally.lost * 100 <= tally.replies else {
            throw BenchError.failed(
                "\(about): \(tally.lost) datagrams were lost, and \(tally.replies) came back; is the machine that busy?")
        }
        return tally
    }
}
