import ArgumentParser
import Foundation

/// `--json`: where a measurement keeps all that it has seen, for programs to read.
struct ReportOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Also write every single measurement to this file, as JSON.", valueName: "file"))
    var json: String?

    /// Found out before minutes of measuring rather than after.
    func validate() throws {
        guard let json else { return }
        let folder = URL(fileURLWithPath: json).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ValidationError("--json \(json) is in a folder that can't be written to; give another path.")
        }
    }

    /// Writes the report, if one was asked for.
    func write(_ report: some Encodable) throws {
        guard let json else { return }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            try encoder.encode(report).write(to: URL(fileURLWithPath: json))
        } catch {
            throw BenchError.failed("couldn't write \(json): \(error.localizedDescription); give --json a path that can be written")
        }
    }
}
