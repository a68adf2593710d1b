import ChildProcess
import Foundation

/// A `twill serve` in a process of its own, as a user would start it; ended when this object goes.
final class ServerProcess {
    /// Where the tool lies: beside the tests that were built with it. Nil where it was not built.
    static let tool: String? = {
        #if canImport(Darwin)
        let folder = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL.deletingLastPathComponent()
        #else
        let folder: URL? = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        #endif
        let path = folder?.appendingPathComponent("twill").path
        return path.flatMap { FileManager.default.isExecutableFile(atPath: $0) ? $0 : nil }
    }()

    let port: Int
    private let child: ChildProcess

    /// Starts a server on a free port of this machine, and waits until it says that it listens.
    init(_ name: String, scheme: String = "tcp", startedBy prefix: [String] = []) throws {
        guard let tool = Self.tool else { throw ChildProcess.Failure("the tool twill was not built: swift build --build-tests builds it") }
        child = try ChildProcess(prefix + [tool, "serve", name, "--listen", "\(scheme):127.0.0.1:0"])
        let line = try child.wait(for: "the line that says where it listens") { observed in
            observed.output.firstIndex(of: "\n").map { observed.output[..<$0] }
        }
        let greeting = "listening on \(scheme):127.0.0.1:"
        guard line.hasPrefix(greeting), let port = Int(line.dropFirst(greeting.count)) else {
            throw ChildProcess.Failure("instead of saying where it listens, twill serve \(name) said: \(line)")
        }
        self.port = port
    }

    /// Ends it with SIGTERM; its exit status.
    func stop() throws -> Int32? {
        child.send(SIGTERM)
        return try child.waitForEnd().status
    }

    /// How many descriptors it has open (Linux).
    var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(child.pid)/fd").count) ?? -1
    }

    /// The processor time that it has used so far, in hundredths of a second (Linux).
    var processorTicks: Int {
        guard let line = try? String(contentsOfFile: "/proc/\(child.pid)/stat", encoding: .utf8) else { return -1 }
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
        let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else { return -1 }
        return user + system
    }
}

/// Runs a program to its end; what it said on either output.
func output(of command: [String], input: String = "") throws -> (status: Int32, text: String) {
    let end = try ChildProcess(command, input: input).waitForEnd()
    return (end.status ?? 0, end.output + end.errors)
}

/// Whether a program is on the path.
func hasProgram(_ name: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
}
