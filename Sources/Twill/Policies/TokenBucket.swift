/// Counts what is used of a rate: so many tokens per second, of which those of one second may be saved up. It has no clock; it is told
/// the time.
///
/// More may be taken than is there. That is a debt, which the coming time pays.
///
/// Its state is one moment: `paidAt`, at which all that was taken is paid for. The bucket is full when that is a second ago or more.
struct TokenBucket {
    /// How much may be saved up, as the time in which it is earned.
    private static let burst = Duration.seconds(1)

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
        paidAt = max(paidAt, now.advanced(by: .zero - Self.burst)).advanced(by: .seconds(1) * count / tokensPerSecond)
    }

    /// How long it takes until the debt is paid; zero where there is none.
    func debt(at now: ReactorClock.Instant) -> Duration {
        paidAt > now ? now.duration(to: paidAt) : .zero
    }
}
