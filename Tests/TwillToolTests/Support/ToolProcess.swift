import ChildProcess
import Foundation
import Testing

@testable import TwillTool

/// The built `twill` as a process of its own. Every wait has an end, and a process that is still there with the last reference is killed.
final class ToolProcess {
    typealias Failure = ChildProcess.Failure

    /// How a process ended, and what it said.
    struct End {
        let status: Int32
        let output: String
        let errors: String

        /// What it complained about, line by line.
        var complaints: [Substring] { errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }
    }

    private let process: ChildProcess

    var pid: pid_t { process.pid }

    init(_ arguments: [String], input: String = "") throws {
        process = try ChildProcess([Self.executable().path] + arguments, input: input)
    }

    /// Starts it from a line of shell in which it is called `"$0"`.
    init(shell line: String) throws {
        process = try ChildProcess(["sh", "-c", line, Self.executable().path])
    }

    /// Starts, waits for the end, and tells about it.
    static func run(_ arguments: String...) throws -> End {
        try run(arguments)
    }

    static func run(_ arguments: [String]) throws -> End {
        try ToolProcess(arguments).waitForEnd()
    }

    /// Starts a server on a free port of 127.0.0.1, and waits until it listens.
    static func serve(_ name: String, _ more: String...) throws -> (process: ToolProcess, port: UInt16) {
        let process = try ToolProcess(["serve", name, "--listen", "tcp:127.0.0.1:0"] + more)
        return (process, try port(in: try process.waitForLines(1)[0]))
    }

    /// The port in a line such as `listening on tcp:127.0.0.1:8007`.
    static func port(in line: String) throws -> UInt16 {
        guard line.hasPrefix("listening on tcp:"), let port = line.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Failure("'\(line)' names no port")
        }
        return port
    }

    /// The first lines on standard output.
    func waitForLines(_ count: Int) throws -> [String] {
        let text = try process.wait(for: "\(count) lines of output") { observed in
            observed.output.filter { $0 == "\n" }.count >= count ? observed.output : nil
        }
        return text.split(separator: "\n").prefix(count).map(String.init)
    }

    /// Waits until standard error says something.
    func waitForErrors(_ isThere: (String) -> Bool) throws {
        try process.wait(for: "words on standard error") { isThere($0.errors) ? () : nil }
    }

    func send(_ signal: Int32) {
        process.send(signal)
    }

    /// Waits for the end of the process and of what it says.
    func waitForEnd() throws -> End {
        let observed = try process.waitForEnd()
        return End(status: observed.status ?? 0, output: observed.output, errors: observed.errors)
    }

    /// Ends a server as a service manager would.
    func terminate() throws -> End {
        send(SIGTERM)
        return try waitForEnd()
    }

    /// The tool is built beside the tests.
    private static func executable() throws -> URL {
        let bundles = Bundle.allBundles.map(\.bundleURL) + [Bundle.main.bundleURL]
        let files = [Bundle.main.executableURL, CommandLine.arguments.first.map { URL(fileURLWithPath: $0) }].compactMap { $0 }
        for folder in files.map({ $0.deletingLastPathComponent() }) + bundles + bundles.map({ $0.deletingLastPathComponent() }) {
            let candidate = folder.appendingPathComponent("twill")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
        }
        throw Failure("there is no 'twill' beside the tests; build all targets first (swift build --build-tests)")
    }
}
