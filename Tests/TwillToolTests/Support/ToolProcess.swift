import Foundation
import Testing

@testable import TwillTool

/// The built `twill` as a process of its own. Every wait has an end, and a process that is still there with the last reference is killed.
final class ToolProcess {
    /// Far more than anything here takes on a busy machine.
    static let patience: TimeInterval = 30

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// How a process ended, and what it said.
    struct End {
        let status: Int32
        let output: String
        let errors: String

        /// What it complained about, line by line.
        var complaints: [Substring] { errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }
    }

    /// Held while a process is started: one that was started meanwhile would inherit the pipes, and they would never end.
    private static let starting = NSLock()

    private let process = Process()
    private let watcher = Watcher()

    init(_ arguments: [String]) throws {
        Self.starting.lock()
        defer { Self.starting.unlock() }
        process.executableURL = try Self.executable()
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = watcher.pipe(to: \.output)
        process.standardError = watcher.pipe(to: \.errors)
        let watcher = watcher
        process.terminationHandler = { watcher.ended(with: $0) }
        try Self.withoutBlockedSignals { try process.run() }
    }

    /// Tests run on threads of Dispatch, which block all signals, and a process starts with the signals blocked that its parent's thread blocks.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&none)
        _ = unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
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
            throw Failure(description: "'\(line)' names no port")
        }
        return port
    }

    /// The first lines on standard output.
    func waitForLines(_ count: Int) throws -> [String] {
        let text = try watcher.wait(for: "\(count) lines of output") { watched in
            let text = String(decoding: watched.output, as: UTF8.self)
            return text.filter { $0 == "\n" }.count >= count ? text : nil
        }
        return text.split(separator: "\n").prefix(count).map(String.init)
    }

    /// Waits until standard error says something.
    func waitForErrors(_ isThere: (String) -> Bool) throws {
        try watcher.wait(for: "words on standard error") { watched in
            isThere(String(decoding: watched.errors, as: UTF8.self)) ? () : nil
        }
    }

    func send(_ signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// Waits for the end of the process and of what it says.
    func waitForEnd() throws -> End {
        try watcher.wait(for: "the end of twill \(process.arguments ?? [])") { watched in
            guard let status = watched.status, watched.openPipes == 0 else { return nil }
            return End(
                status: status, output: String(decoding: watched.output, as: UTF8.self),
                errors: String(decoding: watched.errors, as: UTF8.self))
        }
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
        throw Failure(description: "there is no 'twill' beside the tests; build all targets first (swift build --build-tests)")
    }
}

/// What a process has said and how it ended, filled in by a thread for each pipe and one of Foundation's.
private final class Watcher: @unchecked Sendable {
    struct Watched {
        var output = Data()
        var errors = Data()
        var openPipes = 0
        /// Negative where a signal ended it.
        var status: Int32?
    }

    /// Handed to the one thread that reads it.
    private struct ReadingEnd: @unchecked Sendable {
        let file: FileHandle
    }

    // Guards everything below.
    private let condition = NSCondition()
    private var watched = Watched()

    func pipe(to stream: any WritableKeyPath<Watched, Data> & Sendable) -> Pipe {
        let pipe = Pipe()
        change { $0.openPipes += 1 }
        let reading = ReadingEnd(file: pipe.fileHandleForReading)
        Thread.detachNewThread { [self] in
            while case let data = reading.file.availableData, !data.isEmpty {
                change { $0[keyPath: stream].append(data) }
            }
            change { $0.openPipes -= 1 }
        }
        return pipe
    }

    func ended(with process: Process) {
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        change { $0.status = status }
    }

    private func change(_ body: (inout Watched) -> Void) {
        condition.lock()
        body(&watched)
        condition.broadcast()
        condition.unlock()
    }

    func wait<Result>(for what: String, until isThere: (Watched) -> Result?) throws -> Result {
        let deadline = Date(timeIntervalSinceNow: ToolProcess.patience)
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let result = isThere(watched) { return result }
            let hasEnded = watched.status != nil && watched.openPipes == 0
            guard !hasEnded, condition.wait(until: deadline) else {
                let errors = String(decoding: watched.errors, as: UTF8.self)
                throw ToolProcess.Failure(description: "waited in vain for \(what); status \(watched.status ?? 0), errors '\(errors)'")
            }
        }
    }
}
