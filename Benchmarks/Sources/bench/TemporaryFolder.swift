import Foundation
import Synchronization

/// A folder for what the tools write. Removed by `remove`, with everything in it, unless it is one that the user wants to keep.
struct TemporaryFolder {
    let path: String
    private let isKept: Bool

    /// Those that are still to be removed.
    private static let removable = Mutex<Set<String>>([])

    /// Makes a folder of our own, or uses `kept`, which is made if it isn't there.
    init(keeping kept: String? = nil) throws {
        let path = kept ?? FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString)").path
        self.path = path
        isKept = kept != nil
        if kept == nil { _ = Self.removable.withLock { $0.insert(path) } }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw BenchError.failed("couldn't make the folder \(path): \(error.localizedDescription); give another or free some space")
        }
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func remove() {
        guard !isKept else { return }
        try? FileManager.default.removeItem(atPath: path)
        _ = Self.removable.withLock { $0.remove(path) }
    }

    /// For the way out that runs no `defer`: a signal.
    static func removeAll() {
        removable.withLock { paths in
            for path in paths { try? FileManager.default.removeItem(atPath: path) }
            paths.removeAll()
        }
    }
}

/// The text of a file that a tool of ours has written.
func readText(_ path: String, of tool: String) throws -> String {
    do {
        return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
        throw BenchError.failed("\(tool) left no readable file at \(path): \(error.localizedDescription)")
    }
}
