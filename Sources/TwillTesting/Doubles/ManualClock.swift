import Synchronization
public import Twill

/// A clock that stands still until it is moved, for code that asks a ``/Twill/ReactorClock`` for the time.
///
/// ```swift
/// let manual = ManualClock()
/// let began = manual.clock.now
/// manual.advance(by: .seconds(5))
/// #expect(began.duration(to: manual.clock.now) == .seconds(5))
/// ```
///
/// It has no timers: what sleeps on it never wakes up. ``SimulatedReactor`` has both. Safe to read and to move from any thread.
///
/// Twisted: the time of `twisted.internet.task.Clock`.
public final class ManualClock: Sendable {
    private let nanoseconds = Atomic<Int64>(0)

    /// Makes a clock that stands at zero.
    public init() {}

    /// This moment.
    public var now: ReactorClock.Instant { ReactorClock.Instant(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

    /// The clock as code sees it that knows of reactors' clocks only.
    public var clock: ReactorClock { clock(of: ReactorHandle {}) }

    /// The clock of the reactor behind a handle.
    package func clock(of handle: ReactorHandle) -> ReactorClock {
        ReactorClock(of: handle) { [self] in now }
    }

    /// Moves the time on. A negative duration moves nothing: the clock is monotonic.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves the time on to a moment; not at all to one that has passed.
    public func advance(to moment: ReactorClock.Instant) {
        nanoseconds.max(moment.nanoseconds, ordering: .relaxed)
    }
}
