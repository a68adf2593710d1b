import Foundation

/// The sockets that a server holds. A connection that the kernel has accepted may still wait for the server to do so, and one that the
/// client has closed may still wait to be noticed; this tells.
enum ProcessSockets {
    static func count(of server: ServerProcess) throws -> Int {
        let folder = "/proc/\(server.pid)/fd"
        do {
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: folder)
            return descriptors.count { isSocket("\(folder)/\($0)") }
        } catch {
            throw BenchError.unavailable(
                "couldn't list the descriptors of \(server.server.name) in \(folder): \(error.localizedDescription); bench needs Linux")
        }
    }

    /// Waits until the server has noticed that all its clients are gone. A server that takes longer than 5 s to notice is left alone.
    static func waitForClosing(of server: ServerProcess) throws {
        _ = try waitUntil(atMost: 5) { try count(of: server) <= server.socketsWhenReady }
    }

    /// Such a link reads `socket:[81234]`.
    private static func isSocket(_ path: String) -> Bool {
        let prefix = Array("socket:".utf8)
        var target = [CChar](repeating: 0, count: prefix.count)
        let length = readlink(path, &target, target.count)
        return length == prefix.count && target.map(UInt8.init(bitPattern:)) == prefix
    }
}
