import Foundation

/// A folder for what the tools write. Removed by `remove`, with everything in it, unless it is one that the user wants to keep.
struct TemporaryFolder {
    let path: String
    private let isKept: Bool

    /// Makes a folder of our own, or uses `kept`, which is made if it isn't there.
    init(keeping kept: String? = nil) throws {
        path = kept ?? FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString)").path
        isKept = kept != nil
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw BenchError.failed("couldn't make the folder \(path): \(error.localizedDescription); give another or free some space")
        }
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func remove() {
        if !isKept { try? FileManager.default.removeItem(atPath: path) }
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
