import Logging

/// How a line of the log is written.
enum LogFormat: String, CaseIterable, Sendable {
    /// `2026-01-31T12:00:00.000Z info twill: text key=value`
    case text
    /// One object in a line.
    case json
}

/// Writes what the program and the library log, in one of the formats.
struct RunnerLogHandler: LogHandler {
    let label: String
    let destination: LogDestination
    let format: LogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        let line = format.line(event.level, label, "\(event.message)", all, wantsTime: destination.wantsTime)
        destination.write(line, level: event.level)
    }
}

extension LogFormat {
    /// One line, without its end.
    func line(
        _ level: Logger.Level, _ label: String, _ message: String, _ metadata: [(key: String, value: Logger.Metadata.Value)],
        wantsTime: Bool
    ) -> String {
        switch self {
        case .text:
            let start = wantsTime ? "\(System.timestamp) \(level) \(label): " : ""
            let pairs = metadata.map { " \($0.key)=\($0.value)" }.joined()
            // Whoever is quoted in a message can't begin a line of his own.
            return start + Self.oneLine("\(message)\(pairs)")
        case .json:
            var fields = [
                "\"time\":\(Self.quote(System.timestamp))", "\"level\":\(Self.quote("\(level)"))", "\"label\":\(Self.quote(label))",
                "\"message\":\(Self.quote(message))",
            ]
            if !metadata.isEmpty {
                let pairs = metadata.map { "\(Self.quote($0.key)):\(Self.quote("\($0.value)"))" }.joined(separator: ",")
                fields.append("\"metadata\":{\(pairs)}")
            }
            return "{\(fields.joined(separator: ","))}"
        }
    }

    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else { return text }
        return text.unicodeScalars.reduce(into: "") { line, scalar in
            if scalar.value < 32 || scalar.value == 127 { line += escape(scalar) } else { line.unicodeScalars.append(scalar) }
        }
    }

    /// A text as JSON writes it.
    static func quote(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "\"") { quoted, scalar in
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 32 || scalar.value == 127: quoted += escape(scalar)
            default: quoted.unicodeScalars.append(scalar)
            }
        } + "\""
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
