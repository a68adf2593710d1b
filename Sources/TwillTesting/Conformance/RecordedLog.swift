package import Logging
import Synchronization

/// A logger's memory: what was logged, instead of lines on standard error.
package final class RecordedLog: Sendable {
    private let lines = Mutex<[String]>([])
    private let level: Logger.Level

    package init(level: Logger.Level = .info) {
        self.level = level
    }

    /// A logger that writes here.
    package var logger: Logger { Logger(label: "twill.conformance") { [level] _ in Handler(log: self, logLevel: level) } }

    /// What was logged so far: level and message; but for what a busy machine alone makes a reactor say.
    package var entries: [String] { lines.withLock { $0.filter { !$0.contains("kept the reactor busy") } } }

    /// How many entries hold the text.
    package func count(containing text: String) -> Int {
        lines.withLock { $0.count { $0.contains(text) } }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(event.level): \(event.message)"
            log.lines.withLock { $0.append(line) }
        }
    }
}
