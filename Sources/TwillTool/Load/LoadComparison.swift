import Foundation

/// A load beside an earlier one.
enum LoadComparison {
    /// The lines for a terminal: what was then, and by how much it has changed.
    static func table(_ report: LoadReport, with other: LoadReport, named name: String) -> String {
        let rows: [(String, Double, Double)] = [
            ("messages/s", report.messagesPerSecond, other.messagesPerSecond),
            ("latency p50 µs", report.latencyMicroseconds.p50, other.latencyMicroseconds.p50),
            ("latency p99 µs", report.latencyMicroseconds.p99, other.latencyMicroseconds.p99),
            ("latency p99.9 µs", report.latencyMicroseconds.p999, other.latencyMicroseconds.p999),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { label, now, then in
            let change = then > 0 ? (now / then - 1) * 100 : 0
            let padded = label + String(repeating: " ", count: width - label.count)
            return
                "  \(padded)  \(then.rounded(toDigits: 1)) -> \(now.rounded(toDigits: 1)), \(change < 0 ? "" : "+")\(change.rounded(toDigits: 1)) %"
        }
        let differences = settings(report).filter { entry in settings(other).first { $0.0 == entry.0 }?.1 != entry.1 }.map(\.0)
        let caution = differences.isEmpty ? "" : "; not the same: " + differences.joined(separator: ", ")
        return (["compared with \(name)\(caution)"] + lines).joined(separator: "\n")
    }

    /// What should be the same for a comparison to mean anything.
    static func settings(_ report: LoadReport) -> [(String, String)] {
        [
            ("framing", report.framing.rawValue), ("connections", "\(report.connections)"), ("size", "\(report.size)"),
            ("depth", "\(report.depth)"), ("rate", report.rate.map { "\($0.rounded(toDigits: 0))/s" } ?? "as fast as replies come"),
        ]
    }

    /// Reads a report that `--json` has written.
    static func read(_ path: String) throws -> LoadReport {
        guard let data = FileManager.default.contents(atPath: path) else { throw ToolFailure("'\(path)' can't be read") }
        do {
            return try JSONDecoder().decode(LoadReport.self, from: data)
        } catch {
            throw ToolFailure("'\(path)' is no report of twill load --json")
        }
    }
}
