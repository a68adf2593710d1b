import Histogram
import Twill

/// What a load has counted so far. It decides nothing.
///
/// Messages and latencies count from `beginMeasuring` to `endMeasuring`, errors at any time.
final class LoadTally {
    /// What a latency is expected to stay below, in nanoseconds; the histogram grows for those that do not.
    private static let usualLatencyMax: UInt64 = 60_000_000_000

    /// Verified replies of the measured time.
    private(set) var messages = 0
    /// All verified replies, those of the warm-up and of the end included.
    private(set) var messagesTotal = 0
    /// Latencies of the measured time, in nanoseconds.
    private var latencies: Histogram<UInt64>
    /// The same over time.
    private(set) var series = LoadSeries()
    /// Replies that were wrong, or that never came.
    private(set) var errors = 0
    private(set) var connectionsMade = 0
    /// Connections that could not be made, or that broke before the end.
    private(set) var connectionsFailed = 0
    /// What went wrong first, as a sentence.
    private(set) var firstProblem: String?

    private var isMeasuring = false
    private var beginning = ReactorClock.Instant(nanoseconds: 0)
    private var end: ReactorClock.Instant?

    init() {
        latencies = Histogram(highestTrackableValue: Self.usualLatencyMax, numberOfSignificantValueDigits: .three)
        latencies.autoResize = true
    }

    func beginMeasuring(_ now: ReactorClock.Instant) {
        isMeasuring = true
        beginning = now
    }

    /// Ends the measured time; a second call, or one before it began, changes nothing.
    func endMeasuring(_ now: ReactorClock.Instant) {
        guard isMeasuring else { return }
        isMeasuring = false
        end = now
    }

    /// How long was measured; zero where it never began.
    var measured: Duration {
        end.map { beginning.duration(to: $0) } ?? .zero
    }

    /// The latency that so many percent of the measured messages did not exceed, in microseconds; zero where there are none.
    func latencyMicroseconds(atPercentile percentile: Double) -> Double {
        Double(latencies.valueAtPercentile(percentile)) / 1000
    }

    /// Latencies by percentile: ever closer to all, up to the last message.
    var percentiles: [LoadReport.Percentile] {
        guard messages > 0 else { return [] }
        var result: [LoadReport.Percentile] = []
        var inverse = 1.0
        while true {
            let percent = 100 - 100 / inverse
            result.append(.init(percent: percent, microseconds: latencyMicroseconds(atPercentile: percent)))
            if inverse >= Double(messages) { return result }
            // Ten steps for each nine.
            inverse *= 1.258_925_411_794_167_2
        }
    }

    /// Counts right replies that took equally long.
    @inline(__always)
    func countReplies(_ count: Int, nanoseconds: Int64, at now: Int64) {
        messagesTotal += count
        guard isMeasuring else { return }
        messages += count
        latencies.record(UInt64(max(nanoseconds, 0)), count: UInt64(count))
        series.record(count, latency: nanoseconds, at: now - beginning.nanoseconds)
    }

    func countConnection() {
        connectionsMade += 1
    }

    func countErrors(_ count: Int, because problem: @autoclosure () -> String) {
        guard count > 0 else { return }
        errors += count
        if firstProblem == nil { firstProblem = problem() }
    }

    func countFailedConnection(because problem: @autoclosure () -> String) {
        connectionsFailed += 1
        if firstProblem == nil { firstProblem = problem() }
    }
}
