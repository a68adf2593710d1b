import Twill

/// What a program has counted, as Prometheus reads it (text format 0.0.4).
enum MetricsText {
    static let type = "text/plain; version=0.0.4; charset=utf-8"

    /// Every kind of end that connections are counted by, and what it is called here.
    private static let ends: [(name: String, reason: ConnectionLost)] = [
        ("done", .done), ("lost", .lost), ("aborted", .aborted), ("timed_out", .timedOut), ("unsent_limit", .unsentLimit),
        ("bad_input", .badInput), ("failed", .failed), ("reactor_stopped", .reactorStopped),
    ]

    static func write(_ statistics: ReactorStatistics, reactors: Int, isServing: Bool, uptime: Duration) -> String {
        let connections = statistics.connections
        var text = ""
        func metric(_ name: String, _ kind: String, _ help: String, _ samples: [(labels: String, value: String)]) {
            text += "# HELP twill_\(name) \(help)\n# TYPE twill_\(name) \(kind)\n"
            for sample in samples { text += "twill_\(name)\(sample.labels) \(sample.value)\n" }
        }
        func gauge(_ name: String, _ help: String, _ value: Int) { metric(name, "gauge", help, [("", "\(value)")]) }
        func counter(_ name: String, _ help: String, _ value: Int) { metric("\(name)_total", "counter", help, [("", "\(value)")]) }
        func seconds(_ name: String, _ help: String, _ value: Duration) {
            metric("\(name)_seconds", "gauge", help, [("", "\(value / .seconds(1))")])
        }

        gauge("ready", "1 while all services run and none is asked to end.", isServing ? 1 : 0)
        gauge("reactors", "Reactors that run.", reactors)
        seconds("uptime", "Time since the program began.", uptime)
        gauge("connections_open", "Connections that have a protocol now.", connections.open)
        counter("connections_accepted", "Connections accepted.", connections.accepted)
        counter("connections_made", "Outgoing connections made.", connections.connected)
        counter("connections_refused", "Connections that a factory refused.", connections.refused)
        counter("connections_turned_away", "Peers turned away because no descriptor was left.", connections.turnedAway)
        metric(
            "connections_closed_total", "counter", "Connections that have ended, by the reason.",
            ends.map { ("{reason=\"\($0.name)\"}", "\(connections.closed($0.reason))") })
        counter("received_bytes", "Bytes handed to protocols.", connections.bytesReceived)
        counter("sent_bytes", "Bytes that the system took.", connections.bytesSent)
        gauge("unsent_bytes", "Bytes that wait because the system would not take them yet.", connections.unsentBytes)
        gauge("paused_producers", "Producers that are paused because too many bytes wait.", connections.pausedProducers)
        seconds("loop_lag", "How late the last delayed call was made.", statistics.loopLag)
        seconds("loop_lag_longest", "How late a delayed call was made at the most.", statistics.longestLoopLag)
        seconds("callback_longest", "How long a callback kept a reactor busy at the most.", statistics.longestCallback)
        return text
    }
}
