/// Counts what is used of a rate: so many tokens per second, of which those of one second may be saved up. It has no clock; it is told
/// the time.
///
/// More may be taken than is there. That is a debt, which the coming time pays.
///
/// Its state is one moment: `paidAt`, at which all that was taken is paid for. The bucket is full when that is a second ago or more.
struct TokenBucket {
    private static let nanosecondsPerSecond: Int64 = 1_000_000_000
    /// The longest debt that is remembered, some 73 years, so that no sum of times can overflow.
    private static let debtMax: Int64 = 1 << 61

    let tokensPerSecond: Int
    private var paidAt = ReactorClock.Instant(nanoseconds: .min)

    /// Makes a full bucket.
    ///
    /// - Precondition: the rate is at least one token per second.
    init(tokensPerSecond: Int) {
        precondition(tokensPerSecond > 0, "a rate is at least 1 per second, not \(tokensPerSecond): give nil for no limit")
        self.tokensPerSecond = tokensPerSecond
    }

    /// Takes tokens out, or makes a debt of them.
    mutating func take(_ count: Int, at now: ReactorClock.Instant) {
        // Plain numbers rather than durations, because every read and write of a throttled connection comes through here.
        let price = Double(count) * Double(Self.nanosecondsPerSecond) / Double(tokensPerSecond)
        let start = max(paidAt.nanoseconds, now.nanoseconds - Self.nanosecondsPerSecond)
        let end = start + Int64(min(price.rounded(), Double(Self.debtMax)))
        paidAt.nanoseconds = min(end, now.nanoseconds + Self.debtMax)
    }

    /// Whether more was taken than was there.
    func isInDebt(at now: ReactorClock.Instant) -> Bool { paidAt > now }

    /// How long it takes until the debt is paid; zero where there is none.
    func debt(at now: ReactorClock.Instant) -> Duration {
        isInDebt(at: now) ? now.duration(to: paidAt) : .zero
    }
}
