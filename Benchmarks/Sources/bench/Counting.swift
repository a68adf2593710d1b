import ArgumentParser

/// What `bench instructions` and `bench syscalls` have in common: a tool counts while a server answers an exact number of messages, once
/// N and once 2N. The difference, divided by N, is what a message costs, without starting, accepting, closing and ending.
struct Counting {
    let programs: Programs
    let load: LoadTester

    /// Runs the server behind `wrapper` while it answers exactly `messages`, and ends it, so that the tool writes what it has counted.
    func run(_ server: Server, under scenario: Scenario, messages: Int, wrapper: [String]) throws {
        Progress.say("\(scenario.name) \(server.name): \(messages) messages")
        let process = try ServerProcess(server, for: scenario, programs: programs, wrapper: wrapper)
        let report = try load.run(scenario, against: process, amount: .messages(messages))
        guard report.totalMessages == messages else {
            throw BenchError.failed(
                "twill load sent \(report.totalMessages) messages instead of the \(messages) asked for; use the twill of this repository")
        }
        // Closing costs the same in both runs only if it happens in both.
        try ProcessDescriptors.waitForClosing(of: process)
        try process.end()
    }

    /// So few messages that the cost of everything else would show, or so many that nobody waits for them, make no sense.
    static func validate(messages: Int) throws {
        guard (1000...10_000_000).contains(messages) else {
            throw ValidationError("--messages \(messages) is out of range; give 1000 to 10000000.")
        }
    }
}
