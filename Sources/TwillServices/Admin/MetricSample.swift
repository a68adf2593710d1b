package import Twill

/// One number that tells how a program fares, under the name that monitoring knows it by.
package struct MetricSample: Sendable {
    package enum Kind: String, Sendable {
        /// Goes up and down.
        case gauge
        /// Counts, and never goes back.
        case counter
    }

    package let name: String
    package let kind: Kind
    package let help: String
    /// What tells samples of one name apart; nil where there is one.
    package let reason: String?
    package let value: Double

    init(_ name: String, _ kind: Kind, _ help: String, reason: String? = nil, _ value: Double) {
        (self.name, self.kind, self.help, self.reason, self.value) = (name, kind, help, reason, value)
    }

    /// Every kind of end that connections are counted by, and what it is called here.
    private static let ends: [(name: String, reason: ConnectionLost)] = [
        ("done", .done), ("lost", .lost), ("aborted", .aborted), ("timed_out", .timedOut), ("unsent_limit", .unsentLimit),
        ("bad_input", .badInput), ("failed", .failed), ("reactor_stopped", .reactorStopped),
    ]

    /// What reactors have counted.
    package static func all(of statistics: ReactorStatistics) -> [MetricSample] {
        let connections = statistics.connections
        func gauge(_ name: String, _ help: String, _ value: Int) -> MetricSample { MetricSample(name, .gauge, help, Double(value)) }
        func counter(_ name: String, _ help: String, _ value: Int) -> MetricSample { MetricSample(name, .counter, help, Double(value)) }
        func seconds(_ name: String, _ help: String, _ value: Duration) -> MetricSample {
            MetricSample(name, .gauge, help, value / .seconds(1))
        }
        return [
            gauge("twill_connections_open", "Connections that have a protocol now.", connections.open),
            counter("twill_connections_accepted_total", "Connections accepted.", connections.accepted),
            counter("twill_connections_made_total", "Outgoing connections made.", connections.connected),
            counter("twill_connections_refused_total", "Connections that a factory refused.", connections.refused),
            counter("twill_connections_turned_away_total", "Peers turned away because no descriptor was left.", connections.turnedAway),
        ]
            + ends.map { end in
                MetricSample(
                    "twill_connections_closed_total", .counter, "Connections that have ended, by the reason.", reason: end.name,
                    Double(connections.closed(end.reason)))
            } + [
                counter("twill_received_bytes_total", "Bytes handed to protocols.", connections.bytesReceived),
                counter("twill_sent_bytes_total", "Bytes that the system took.", connections.bytesSent),
                gauge("twill_unsent_bytes", "Bytes that wait because the system would not take them yet.", connections.unsentBytes),
                gauge("twill_paused_producers", "Producers that are paused because too many bytes wait.", connections.pausedProducers),
                seconds("twill_loop_lag_seconds", "How late the last delayed call was made.", statistics.loopLag),
                seconds("twill_loop_lag_longest_seconds", "How late a delayed call was made at the most.", statistics.longestLoopLag),
                seconds(
                    "twill_callback_longest_seconds", "How long a callback kept a reactor busy at the most.", statistics.longestCallback),
            ]
    }
}
