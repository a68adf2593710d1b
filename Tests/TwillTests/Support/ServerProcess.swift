import Foundation
import Testing

/// A `twill serve` of its own process, as a user would start it; it is ended when this object goes.
final class ServerProcess {
    /// A server that could not be started.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    let port: Int

    /// Where the tool lies: beside the tests that were built with it. Nil where it was not built.
    static let tool: URL? = {
        #if canImport(Darwin)
        let folder = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL.deletingLastPathComponent()
        #else
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        #endif
        let tool = folder?.appendingPathComponent("twill")
        return tool.flatMap { FileManager.default.isExecutableFile(atPath: $0.path) ? $0 : nil }
    }()

    /// Starts a server on a free port of this machine, and waits until it says that it listens.
    init(_ name: String, startedBy prefix: [String] = []) throws {
        guard let tool = Self.tool else { throw Failure(description: "the tool twill was not built: swift build --build-tests builds it") }
        let arguments = prefix + [tool.path, "serve", name, "--listen", "tcp:127.0.0.1:0"]
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            guard !byte.isEmpty else { throw Failure(description: "\(arguments) ended after saying: \(line)") }
            line += String(decoding: byte, as: UTF8.self)
        }
        let greeting = "listening on tcp:127.0.0.1:"
        guard line.hasPrefix(greeting), let port = Int(line.dropFirst(greeting.count).dropLast()) else {
            process.terminate()
            throw Failure(description: "\(arguments) said: \(line)")
        }
        self.port = port
    }

    deinit {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
    }

    /// Ends it with SIGTERM; its exit status.
    func stop() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -1
    }

    /// How many descriptors it has open (Linux).
    var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processIdentifier)/fd").count) ?? -1
    }

    /// The processor time that it has used so far, in hundredths of a second (Linux).
    var processorTicks: Int {
        guard let line = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8) else { return -1 }
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
        let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else { return -1 }
        return user + system
    }
}

/// Runs a program to its end.
func output(of program: String, _ arguments: [String], input: String? = nil) throws -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let output = Pipe()
    let inputPipe = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = inputPipe
    try process.run()
    inputPipe.fileHandleForWriting.write(Data((input ?? "").utf8))
    inputPipe.fileHandleForWriting.closeFile()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
}

/// Whether a program is on the path.
func hasProgram(_ name: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
}
