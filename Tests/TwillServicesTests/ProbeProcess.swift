import ChildProcess
import Foundation
import Testing

/// Whether this process may do everything; tests that need it are skipped elsewhere.
var isRoot: Bool { geteuid() == 0 }

/// A folder of a test's own, which goes with this object.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "twill-services-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    func text(_ name: String) -> String? { FileManager.default.contents(atPath: path(name)).map { String(decoding: $0, as: UTF8.self) } }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path(name))) }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// The program of `Tests/ServiceProgram`, running.
struct ProbeProcess {
    let process: ChildProcess

    /// The program is built beside the tests.
    static var executable: String {
        let bundles = Bundle.allBundles.map(\.bundleURL) + [Bundle.main.bundleURL]
        let files = [Bundle.main.executableURL, CommandLine.arguments.first.map { URL(fileURLWithPath: $0) }].compactMap { $0 }
        let folders = files.map { $0.deletingLastPathComponent() } + bundles + bundles.map { $0.deletingLastPathComponent() }
        let candidates = folders.map { $0.appendingPathComponent("ServiceProgram").path }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "ServiceProgram"
    }

    init(_ arguments: [String], in folder: TestFolder, environment: [String: String] = [:], through wrapper: [String] = []) throws {
        let variables = environment.map { "\($0.key)=\($0.value)" }
        process = try ChildProcess(
            ["/usr/bin/env"] + variables + wrapper + [Self.executable, "--rundir", folder.path] + arguments)
    }

    /// Where it listens, once it serves.
    func port() throws -> Int {
        try process.wait(for: "serving") { $0.errors.contains("probe serves") ? () : nil }
        return try #require(Self.port(in: process.observed.errors))
    }

    /// The first port that something listens on: a service of this name, if one is given.
    static func port(in log: String, of service: String = "") -> Int? {
        log.split(separator: "\n").compactMap { line in
            line.contains("\(service) listens on ") ? line.split(separator: ":").last.flatMap { Int($0) } : nil
        }.first
    }

    /// Runs it to its end.
    static func end(_ arguments: [String], in folder: TestFolder) throws -> ChildProcess.Observed {
        try ProbeProcess(arguments, in: folder).process.waitForEnd()
    }
}

/// A connection of the system's own, whose calls wait.
final class LineClient {
    private let descriptor: Int32
    private var unread = ""

    init(port: Int) throws {
        #if canImport(Darwin)
        descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
        let result = unsafe withLoopbackAddress(port: port) { unsafe connect(descriptor, $0, $1) }
        guard result == 0 else {
            // Everything is set, so this object's end closes the socket.
            throw ChildProcess.Failure("couldn't connect: errno \(errno)")
        }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = unsafe write(descriptor, bytes, bytes.count)
    }

    /// The next line; nil at the end of the connection, or where it breaks.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !unread.contains("\n") {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return nil }
            unread += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let parts = unread.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        unread = String(parts[1])
        return String(parts[0])
    }

    /// All that comes until the end of the connection.
    func rest() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = unsafe read(descriptor, &buffer, buffer.count), count > 0 {
            unread += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return unread
    }

    func ask(_ line: String) -> String? {
        send(line)
        return next()
    }
}

/// Lends the address of a port of this machine for the length of a call of the system's.
func withLoopbackAddress<Outcome>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Outcome) -> Outcome {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}
