/// How often a server made each system call, from start to end: what `strace -c` prints.
struct StraceSummary {
    private let calls: [String: Int]

    /// Runs the server under strace with so many messages.
    ///
    /// `-D` makes strace a process beside the server instead of its parent, so that the server is the process that bench started: SIGTERM
    /// goes to the server, and where bench dies the server does not live on.
    init(
        _ counting: Counting, _ server: Server, _ scenario: Scenario, messages: Int, strace: String, file: String
    ) throws {
        let wrapper = [strace, "-D", "-f", "-c", "-o", file]
        try counting.run(server, under: scenario, messages: messages, wrapper: wrapper)

        // Since strace is not the child, it may write its summary a moment after the server has ended.
        var calls: [String: Int]?
        _ = try waitUntil(atMost: 10) {
            calls = StraceSummary.parse(try readText(file, of: "strace"))
            return calls != nil
        }
        guard let calls else {
            throw BenchError.failed("strace wrote no summary to \(file); may this user trace processes (ptrace)?")
        }
        self.calls = calls
    }

    /// What the messages have cost by which this run is longer than `other`.
    func callsPerMessage(beyond other: StraceSummary, messages: Int) -> [String: Double] {
        var difference = calls.mapValues(Double.init)
        for (name, count) in other.calls { difference[name, default: 0] -= Double(count) }
        return difference.mapValues { $0 / Double(messages) }
    }

    /// Reads the table of `strace -c`: percent, seconds, microseconds per call, calls, errors where there were any, and the name. nil if
    /// it doesn't end in the line "total" yet.
    static func parse(_ text: String) -> [String: Int]? {
        var calls: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 5, let name = fields.last, let count = Int(fields[3]) else { continue }
            if name == "total" { return calls }
            calls[String(name)] = count
        }
        return nil
    }
}
