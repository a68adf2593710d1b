/// What a crowd of clients that shake hands does to Twill's server: how long another one's connection waits meanwhile, and what they leave behind.
struct TLSCrowd: Codable {
    let perSecond: Double
    /// How much of its core the server needed for them, from 0 to 1.
    let coreShare: Double
    /// How long an answer took on a connection that was there before: of 100 answers the slowest, and the slowest of all.
    let p99Milliseconds: Double
    let slowestMilliseconds: Double
    /// How many handshakes were made after that, and how much memory the second half of them has taken for good.
    let handshakes: Int
    let megabytesGrown: Double
    let descriptorsLeft: Int

    static let rate = 500
    private static let p99MillisecondsMax = 100.0
    private static let megabytesGrownMax = 2.0

    /// - Parameters:
    ///   - server: one that nobody has connected to yet.
    ///   - load: `tls-load`, with what pins it to its core.
    init(_ server: ServerProcess, load: [String], seconds: Double, handshakes: Int) throws {
        let descriptors = try ProcessDescriptors.count(of: server)
        let milliseconds = ["--milliseconds", "\(Int(seconds * 1000))"]
        let canary = try TLSLoad(server, load + ["--canary"] + milliseconds)
        let crowd = try TLSLoad(server, load + ["--handshakes", "--rate", "\(Self.rate)"] + milliseconds)
        let shaken = try crowd.numbers(atMost: seconds + 30, count: 5)
        let answers = try canary.numbers(atMost: seconds + 30, count: 7)
        perSecond = shaken[1] / shaken[3]
        coreShare = shaken[4] / 1e6 / shaken[3]
        p99Milliseconds = answers[5] * 1000
        slowestMilliseconds = answers[6] * 1000

        var residentBytes: [Int] = []
        for _ in 0..<2 {
            let half = try TLSLoad(server, load + ["--handshakes", "--connections", "16", "--count", "\(handshakes / 2)"])
            _ = try half.numbers(atMost: 30 + Double(handshakes) / 100, count: 5)
            try ProcessDescriptors.waitForClosing(of: server)
            residentBytes.append(try ProcessMemory.residentBytes(of: server))
        }
        self.handshakes = handshakes
        megabytesGrown = Double(residentBytes[1] - residentBytes[0]) / 1e6
        descriptorsLeft = abs(try ProcessDescriptors.count(of: server) - descriptors)
    }

    var gates: [Gate] {
        [
            Gate("ms of 99 in 100 answers beside \(Self.rate) handshakes/s", value: p99Milliseconds, limit: Self.p99MillisecondsMax),
            Gate("MB grown over the second half of \(handshakes) handshakes", value: megabytesGrown, .below, limit: Self.megabytesGrownMax),
            Gate("descriptors too many or too few after them", value: Double(descriptorsLeft), limit: 0, digits: 0),
        ]
    }
}

extension TLSCrowd: CustomStringConvertible {
    var description: String {
        """
        beside \(perSecond.formatted(digits: 0)) full handshakes a second, which take \((coreShare * 100).formatted(digits: 0)) % of the server's core, \
        99 of 100 answers on another connection take at most \(p99Milliseconds.formatted(digits: 2)) ms, and all of them at most \
        \(slowestMilliseconds.formatted(digits: 2)) ms
        """
    }
}

/// `tls-load` at work on a server.
struct TLSLoad {
    private let server: ServerProcess
    private let child: ChildProcess

    init(_ server: ServerProcess, _ command: [String]) throws {
        self.server = server
        child = try ChildProcess(command + ["--port", "\(try server.port())", "--pid", "\(server.pid)"], name: "tls-load")
    }

    /// Waits for its end, and reads what it has counted; nothing may have failed.
    func numbers(atMost seconds: Double, count: Int) throws -> [Double] {
        let status = try child.waitForEnd(atMost: seconds)
        // What it has said may still be on its way.
        _ = waitUntil(atMost: 5) { child.output.text.contains("\n") }
        try server.requireAlive()
        let numbers = child.output.text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard status.isSuccess, numbers.count == count, numbers[2] == 0 else {
            throw BenchError.failed(
                "tls-load against \(server.name) \(status.description) and said '\(child.output.text)'; \(child.lastWords)")
        }
        return numbers
    }
}
