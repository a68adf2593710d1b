/// A reactor's time: monotonic, and virtual on a simulated reactor.
///
/// ```swift
/// let deadline = reactor.now + .seconds(5)
/// ```
///
/// The wall clock does not move it: setting the machine's time changes no deadline. Its zero has no meaning; only differences do.
/// Safe to read from any thread.
public struct ReactorClock: Sendable {
    /// A moment of a reactor's time.
    public struct Instant: InstantProtocol, Hashable, Sendable {
        /// Nanoseconds since the clock's zero.
        package var nanoseconds: Int64

        package init(nanoseconds: Int64) {
            self.nanoseconds = nanoseconds
        }

        /// A moment that never comes: some 292 years after the clock's zero.
        package static let never = Instant(nanoseconds: .max)

        public func advanced(by duration: Duration) -> Instant {
            let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.clampedNanoseconds)
            return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
        }

        public func duration(to other: Instant) -> Duration {
            .nanoseconds(other.nanoseconds) - .nanoseconds(nanoseconds)
        }

        public static func < (left: Instant, right: Instant) -> Bool {
            left.nanoseconds < right.nanoseconds
        }
    }

    private let read: @Sendable () -> Instant

    package init(_ read: @escaping @Sendable () -> Instant) {
        self.read = read
    }

    /// This moment.
    public var now: Instant { read() }

    /// The smallest step that it is good for.
    public var minimumResolution: Duration { .nanoseconds(1) }
}

extension Duration {
    /// The duration in whole nanoseconds, at the ends of the range where it does not fit.
    package var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !overflow, !overflow2 else { return self < .zero ? .min : .max }
        return sum
    }
}
