/// One measurement under load: a fresh server, one run of the load tester, and what it cost the server.
struct LoadMeasurement {
    let programs: Programs
    let serverWrapper: [String]
    let load: LoadTester
    let amount: LoadTester.Amount

    /// The server's clock is read when the load tester starts and when its connections are closed, so accepting and closing them is in
    /// the figure, and so is the warm-up. It is divided by all messages, those of the warm-up included.
    func measure(_ server: Server, under scenario: Scenario) throws -> LoadRun {
        let process = try ServerProcess(server, for: scenario, programs: programs, wrapper: serverWrapper)
        let before = try ProcessTimes.cpuMicroseconds(of: process)
        let report = try load.run(scenario, against: process, amount: amount)
        try ProcessDescriptors.waitForClosing(of: process)
        let after = try ProcessTimes.cpuMicroseconds(of: process)
        try process.end()
        return LoadRun(report: report, cpuMicroseconds: after - before)
    }
}

/// The figures of one run.
struct LoadRun: Codable {
    let messagesPerSecond: Double
    let megabytesPerSecond: Double
    let p50Microseconds: Double
    let p99Microseconds: Double
    let cpuMicrosecondsPerMessage: Double

    init(report: LoadReport, cpuMicroseconds: Double) {
        messagesPerSecond = report.messagesPerSecond
        megabytesPerSecond = report.megabytesPerSecond
        p50Microseconds = report.latencyMicroseconds.p50
        p99Microseconds = report.latencyMicroseconds.p99
        cpuMicrosecondsPerMessage = cpuMicroseconds / Double(report.totalMessages)
    }

    /// The median of every figure by itself; nil for no runs.
    init?(medianOf runs: [LoadRun]) {
        guard
            let messagesPerSecond = runs.map(\.messagesPerSecond).median,
            let megabytesPerSecond = runs.map(\.megabytesPerSecond).median,
            let p50Microseconds = runs.map(\.p50Microseconds).median,
            let p99Microseconds = runs.map(\.p99Microseconds).median,
            let cpuMicrosecondsPerMessage = runs.map(\.cpuMicrosecondsPerMessage).median
        else { return nil }
        self.messagesPerSecond = messagesPerSecond
        self.megabytesPerSecond = megabytesPerSecond
        self.p50Microseconds = p50Microseconds
        self.p99Microseconds = p99Microseconds
        self.cpuMicrosecondsPerMessage = cpuMicrosecondsPerMessage
    }
}
