import Foundation

/// How much memory a server holds, as /proc tells it.
enum ProcessMemory {
    /// Resident bytes. smaps_rollup counts pages; VmRSS, where there is no smaps_rollup, is a running count that may be a little behind.
    static func residentBytes(of server: ServerProcess) throws -> Int {
        let kilobytes =
            field("Rss:", in: "/proc/\(server.pid)/smaps_rollup") ?? field("VmRSS:", in: "/proc/\(server.pid)/status")
        guard let kilobytes else {
            throw BenchError.unavailable(
                "couldn't read the memory of \(server.name) from /proc/\(server.pid); bench needs Linux, and the server alive")
        }
        return kilobytes * 1024
    }

    private static func field(_ name: String, in path: String) -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        return line.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) }
    }
}
