/// A reactor's time: monotonic, and virtual on a simulated reactor.
///
/// ```swift
/// let deadline = reactor.now.advanced(by: .seconds(5))
/// ```
///
/// The wall clock does not move it: setting the machine's time changes no deadline. Its zero has no meaning; only differences do.
/// Safe to read from any thread.
///
/// It is a Swift `Clock`: `try await reactor.clock.sleep(for: .seconds(1))` waits on the reactor's timers, from any task. A task of the reactor's own
/// waits by ``Reactor/sleep(for:)``, which costs less.
public struct ReactorClock: Clock {
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
    private let handle: ReactorHandle

    /// Makes the clock of the reactor behind a handle.
    package init(of handle: ReactorHandle, _ read: @escaping @Sendable () -> Instant) {
        self.read = read
        self.handle = handle
    }

    /// This moment.
    public var now: Instant { read() }

    /// The smallest step that it is good for.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Waits until a moment of the reactor's time; not at all for one that has passed. The tolerance is not used.
    ///
    /// - Throws: `CancellationError`.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let task = handle.startTask { [self] in try await wait(until: deadline) }
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// The same on the reactor's thread.
    private nonisolated(nonsending) func wait(until deadline: Instant) async throws {
        let sleeper = Sleeper()
        let bound = ReactorBound(sleeper)
        handle.callFromThread { reactor in
            let now = reactor.now
            guard deadline > now else { return bound.value.place.wake() }
            bound.value.alarm = reactor.callLater(now.duration(to: deadline)) { bound.value.place.wake() }
        }
        defer { sleeper.alarm?.cancelIfActive() }
        try await sleeper.place.wait(on: handle, in: handle.currentScope)
    }

    private final class Sleeper {
        let place = WaitingPlace()
        var alarm: DelayedCall?
    }
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
