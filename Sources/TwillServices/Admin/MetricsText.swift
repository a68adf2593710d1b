import Twill

/// How a program fares, as Prometheus reads it (text format 0.0.4).
enum MetricsText {
    static let type = "text/plain; version=0.0.4; charset=utf-8"

    static func write(_ statistics: ReactorStatistics, reactors: Int, isServing: Bool, uptime: Duration) -> String {
        let own = [
            MetricSample("twill_ready", .gauge, "1 while all services run and none is asked to end.", isServing ? 1 : 0),
            MetricSample("twill_reactors", .gauge, "Reactors that run.", Double(reactors)),
            MetricSample("twill_uptime_seconds", .gauge, "Time since the program began.", uptime / .seconds(1)),
        ]
        return write(own + MetricSample.all(of: statistics))
    }

    /// Samples of one name stand together.
    static func write(_ samples: [MetricSample]) -> String {
        var text = ""
        var last = ""
        for sample in samples {
            if sample.name != last {
                text += "# HELP \(sample.name) \(sample.help)\n# TYPE \(sample.name) \(sample.kind.rawValue)\n"
                last = sample.name
            }
            let labels = sample.reason.map { "{reason=\"\($0)\"}" } ?? ""
            text += "\(sample.name)\(labels) \(number(sample.value))\n"
        }
        return text
    }

    /// A count without decimals.
    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
