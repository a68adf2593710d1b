import Foundation

/// The descriptors that a server holds. A connection that the kernel has accepted may still wait for the server to do so, and one that the
/// client has closed may still wait to be noticed; this tells.
enum ProcessDescriptors {
    /// All of them: sockets, files, and what the event loop is made of.
    static func count(of server: ServerProcess) throws -> Int {
        try paths(of: server).count
    }

    /// Those that are sockets.
    static func sockets(of server: ServerProcess) throws -> Int {
        try paths(of: server).count(where: isSocket)
    }

    /// Waits until the server has noticed that all its clients are gone. A server that takes longer than 5 s to notice is left alone.
    static func waitForClosing(of server: ServerProcess) throws {
        _ = try waitUntil(atMost: 5) { try sockets(of: server) <= server.socketsWhenReady }
    }

    private static func paths(of server: ServerProcess) throws -> [String] {
        let folder = "/proc/\(server.pid)/fd"
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
        } catch {
            throw BenchError.unavailable(
                "couldn't list the descriptors of \(server.name) in \(folder): \(error.localizedDescription); bench needs Linux")
        }
    }

    /// Such a link reads `socket:[81234]`.
    private static func isSocket(_ path: String) -> Bool {
        let prefix = Array("socket:".utf8)
        var target = [CChar](repeating: 0, count: prefix.count)
        let length = readlink(path, &target, target.count)
        return length == prefix.count && target.map(UInt8.init(bitPattern:)) == prefix
    }
}
