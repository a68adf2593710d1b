/// How many lines may be logged about something that others can make happen as often as they like. What is too much is counted, and told in
/// the next line.
struct LogQuota {
    private let linesMax: Int
    private let period: Duration
    private var periodEnd: ReactorClock.Instant?
    private var lines = 0
    private var untold = 0

    init(_ linesMax: Int, each period: Duration) {
        self.linesMax = linesMax
        self.period = period
    }

    /// What to add to the line that is due now: nothing, or how many were left out before it. nil where this one is to be left out, too.
    mutating func next(_ now: ReactorClock.Instant) -> String? {
        if let periodEnd, now < periodEnd {
            guard lines < linesMax else {
                untold += 1
                return nil
            }
        } else {
            periodEnd = now.advanced(by: period)
            lines = 0
        }
        lines += 1
        defer { untold = 0 }
        return untold == 0 ? "" : " (and \(untold) more since the last such line)"
    }
}
