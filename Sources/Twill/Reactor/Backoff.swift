/// How long to wait before trying again: longer each time, up to a limit, and never quite the same, so that many who failed together don't come back
/// together.
///
/// ```swift
/// var backoff = Backoff()
/// let wait = backoff.next(using: &reactor.randomNumbers)
/// ```
///
/// A value; it waits for nobody and knows no time. What chance adds to one wait has no influence on the next.
///
/// Twisted: the arithmetic of `ReconnectingClientFactory`, in which it has, and where a wait may be longer than the limit, or negative.
public struct Backoff: Hashable, Sendable {
    /// The first wait, before chance.
    public var initialDelay: Duration
    /// The longest wait.
    public var maxDelay: Duration
    /// By how much each wait is longer than the one before, before chance. Numbers below 1 count as 1.
    public var factor: Double
    /// By which part of it a wait is shorter or longer, at most; each length in between is equally likely. From 0, for none, to 1.
    public var jitter: Double
    /// The wait that comes next, before chance; nil for the first.
    private var delay: Duration?

    /// Waits of a second at first, of about 2.7 times as much each time, and of an hour at the most, unless told otherwise.
    public init(
        initialDelay: Duration = .seconds(1), maxDelay: Duration = .seconds(3600), factor: Double = 2.718281828459045, jitter: Double = 0.2
    ) {
        self.initialDelay = initialDelay
        self.maxDelay = maxDelay
        self.factor = factor
        self.jitter = jitter
    }

    /// How long to wait now; the next wait will be longer.
    public mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let limit = max(.zero, maxDelay)
        let delay = min(max(.zero, self.delay ?? initialDelay), limit)
        // Compared before it is multiplied: a duration that is too long for its type ends the program.
        let growth = max(1, factor)
        self.delay = delay / .seconds(1) > limit / .seconds(1) / growth ? limit : delay * growth
        let part = min(max(0, jitter), 1)
        let shortest = delay * (1 - part)
        let longest = delay / .seconds(1) > limit / .seconds(1) / (1 + part) ? limit : delay * (1 + part)
        return shortest + (longest - shortest) * Double.random(in: 0...1, using: &random)
    }

    /// Begins with the first wait again.
    public mutating func reset() {
        delay = nil
    }
}
