import Foundation

/// `twill load`: the one load tester for all servers, so that what differs between two figures is the server.
struct LoadTester {
    let twill: String
    /// What it is started behind: `taskset -c 1`, or nothing.
    var wrapper: [String] = []
    let folder: TemporaryFolder

    /// How long a load lasts.
    enum Amount {
        /// So many seconds, measured after a warm-up.
        case seconds(Double, warmup: Double)
        /// Exactly so many messages, all told.
        case messages(Int)

        fileprivate var arguments: [String] {
            switch self {
            case .seconds(let seconds, let warmup): ["--duration", "\(seconds)s", "--warmup", "\(warmup)s"]
            case .messages(let count): ["--messages", String(count), "--warmup", "0s"]
            }
        }

        /// Far more than it should take. Under callgrind a server is fifty times slower.
        fileprivate var timeout: Double {
            switch self {
            case .seconds(let seconds, let warmup): seconds + warmup + 60
            case .messages: 600
            }
        }
    }

    /// Loads the server and returns what the load tester has counted. Any error on any connection fails the run: a figure that includes
    /// lost messages means nothing.
    func run(_ scenario: Scenario, against server: ServerProcess, amount: Amount) throws -> LoadReport {
        let file = folder.file("load.json")
        let command =
            wrapper + [
                twill, "load", server.endpoint, "--framing", scenario.framing.rawValue, "--connections", String(scenario.connections),
                "--size", String(scenario.messageBytes), "--depth", String(scenario.depth),
            ] + amount.arguments + ["--json", file]
        let child = try ChildProcess(command, name: "twill load")
        let status = try child.waitForEnd(atMost: amount.timeout)
        let about = "twill load on \(server.name), \(scenario.name)"
        guard status.isSuccess else {
            try server.requireAlive()
            throw BenchError.failed("\(about): it \(status.description); \(child.lastWords)")
        }
        let report = try LoadReport(json: readText(file, of: "twill load"), about: about)
        guard report.errors == 0, report.failedConnections == 0, report.totalMessages > 0 else {
            throw BenchError.failed(
                "\(about): \(report.errors) errors, \(report.failedConnections) failed connections, "
                    + "\(report.totalMessages) messages; \(child.lastWords)")
        }
        return report
    }
}

/// What `twill load --json` writes, as far as it is needed here.
struct LoadReport: Decodable {
    /// Messages of the measured window, without the warm-up.
    let messages: Int
    /// All messages that were sent and verified, the warm-up included. A server's CPU time is divided by these.
    let totalMessages: Int
    let messagesPerSecond: Double
    let megabytesPerSecond: Double
    let latencyMicroseconds: Latency
    let errors: Int
    let failedConnections: Int

    struct Latency: Decodable {
        let p50: Double
        let p99: Double
    }

    init(json: String, about: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(LoadReport.self, from: Data(json.utf8))
        } catch {
            throw BenchError.failed("\(about): its JSON has another shape than expected: \(error); use the twill of this repository")
        }
    }
}
