import Foundation

/// The result of a load, as a table for people and as JSON for programs.
struct LoadReport: Codable, Equatable {
    /// Of the measured time, in microseconds.
    struct Latency: Codable, Equatable {
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double

        enum CodingKeys: String, CodingKey {
            case p50, p90, p99
            case p999 = "p99_9"
            case max
        }
    }

    /// The latency that so many percent of the messages did not exceed.
    struct Percentile: Codable, Equatable {
        let percent: Double
        let microseconds: Double

        /// One in so many took longer.
        var inverse: Double { 100 / max(100 - percent, 1e-9) }
    }

    /// What was measured in one slot of time.
    struct Point: Codable, Equatable {
        /// The middle of the slot, since measuring began.
        let seconds: Double
        let messagesPerSecond: Double
        let p50: Double?
        let p90: Double?
        let p99: Double?

        enum CodingKeys: String, CodingKey {
            case seconds
            case messagesPerSecond = "messages_per_second"
            case p50, p90, p99
        }
    }

    let endpoint: String
    let framing: LoadFraming
    let connections: Int
    /// The size of a message on the wire.
    let size: Int
    let depth: Int
    /// How long was measured.
    let durationSeconds: Double
    /// Verified replies of that time.
    let messages: Int
    /// All verified replies.
    let totalMessages: Int
    let messagesPerSecond: Double
    /// In one direction; a megabyte is a million bytes.
    let megabytesPerSecond: Double
    let latencyMicroseconds: Latency
    /// Replies that were wrong or missing.
    let errors: Int
    /// Connections that were not made, or that broke.
    let failedConnections: Int
    /// How many messages a second were asked for; nil for as many as replies come.
    let rate: Double?
    let percentiles: [Percentile]
    /// The load over time.
    let course: [Point]
    let machine: Machine?

    enum CodingKeys: String, CodingKey {
        case endpoint, framing, connections, size, depth
        case durationSeconds = "duration_seconds"
        case messages
        case totalMessages = "total_messages"
        case messagesPerSecond = "messages_per_second"
        case megabytesPerSecond = "megabytes_per_second"
        case latencyMicroseconds = "latency_microseconds"
        case errors
        case failedConnections = "failed_connections"
        case rate, percentiles, course, machine
    }
}

extension LoadReport {
    /// Sums a load up that has ended.
    init(_ run: LoadRun) {
        let plan = run.plan
        let tally = run.tally
        let seconds = tally.measured / .seconds(1)
        let perSecond = seconds > 0 ? Double(tally.messages) / seconds : 0
        let percentile = tally.latencyMicroseconds(atPercentile:)
        endpoint = plan.endpoint.description
        framing = plan.framing
        connections = plan.connections
        size = run.messageBytes
        depth = plan.depth
        durationSeconds = seconds
        messages = tally.messages
        totalMessages = tally.messagesTotal
        messagesPerSecond = perSecond
        megabytesPerSecond = perSecond * Double(run.messageBytes) / 1_000_000
        latencyMicroseconds = Latency(
            p50: percentile(50), p90: percentile(90), p99: percentile(99), p999: percentile(99.9), max: percentile(100))
        errors = tally.errors
        failedConnections = tally.connectionsFailed
        rate = plan.rate
        percentiles = tally.percentiles
        course = Self.course(tally.series, seconds: seconds)
        machine = .current
    }

    private static func course(_ series: LoadSeries, seconds: Double) -> [Point] {
        let slot = Double(series.slotNanoseconds) / 1_000_000_000
        return (0..<series.slotCount).compactMap { index in
            // The last slot may have ended early.
            let length = min(slot, seconds - Double(index) * slot)
            guard length > slot / 4 else { return nil }
            func latency(_ percentile: Double) -> Double? { series.latencyMicroseconds(slot: index, atPercentile: percentile) }
            return Point(
                seconds: Double(index) * slot + length / 2, messagesPerSecond: Double(series.count(slot: index)) / length, p50: latency(50),
                p90: latency(90), p99: latency(99))
        }
    }

    /// The report as one JSON object.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// The report as lines for a terminal.
    func table(connected: Int) -> String {
        let latency = latencyMicroseconds
        let rows = [
            ("messages/s", messagesPerSecond.rounded(toDigits: 0)),
            ("MB/s", megabytesPerSecond.rounded(toDigits: 1)),
            ("latency p50", "\(latency.p50.rounded(toDigits: 1)) µs"),
            ("latency p90", "\(latency.p90.rounded(toDigits: 1)) µs"),
            ("latency p99", "\(latency.p99.rounded(toDigits: 1)) µs"),
            ("latency p99.9", "\(latency.p999.rounded(toDigits: 1)) µs"),
            ("latency max", "\(latency.max.rounded(toDigits: 1)) µs"),
            ("messages", "\(messages) in \(durationSeconds.rounded(toDigits: 2)) s, \(totalMessages) in all"),
            ("errors", "\(errors)"),
            ("connections", "\(connections) asked for, \(connected) connected, \(failedConnections) failed or lost"),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { name, value in
            "  \(name)\(String(repeating: " ", count: width - name.count))  \(value)"
        }
        let title =
            "\(endpoint), \(framing.rawValue) messages of \(size) bytes, \(connections) connections, depth \(depth)"
            + (rate.map { ", \($0.rounded(toDigits: 0)) a second" } ?? "")
        return ([title] + lines).joined(separator: "\n")
    }
}

extension Double {
    /// The number as text with so many digits behind the point.
    func rounded(toDigits digits: Int) -> String {
        String(format: "%.\(digits)f", self)
    }
}
