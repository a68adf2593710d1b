import ArgumentParser
import Foundation

/// The file that a load's report goes to. Whether it can be written is asked before the load, so that no result is lost after it.
enum ReportFile {
    /// Refuses a file that can't be written. Nothing is created.
    static func check(_ path: String, of option: String) throws {
        let files = FileManager.default
        if files.fileExists(atPath: path) {
            guard !isFolder(path) else { throw ValidationError("\(option) '\(path)' is a folder; name a file in it") }
            guard files.isWritableFile(atPath: path) else {
                throw ValidationError("\(option) '\(path)' may not be written; choose another file, or change its permissions")
            }
            return
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard isFolder(folder) else {
            throw ValidationError("\(option) '\(path)' can't be written: there is no folder '\(folder)'; make it first")
        }
        guard files.isWritableFile(atPath: folder) else {
            throw ValidationError("\(option) '\(path)' can't be written: no file may be made in '\(folder)'; choose another folder")
        }
    }

    /// Only a folder has itself in it.
    private static func isFolder(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path + "/.")
    }

    /// Writes a result, in place of what was there.
    static func write(_ data: Data, to path: String) throws {
        do {
            // Not by a file beside it that is renamed, because the path may be a device: /dev/stdout, say.
            try data.write(to: URL(fileURLWithPath: path))
        } catch {
            throw ToolFailure("the report could not be written to '\(path)': \(error.localizedDescription)")
        }
    }
}
