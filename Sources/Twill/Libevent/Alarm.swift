#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The one timer that libevent holds for a reactor: it ends the wait when the next delayed call is due.
///
/// It may wake the loop a little early, because libevent's clock is a coarse one. That is why the timer queue looks at the precise one, and
/// why no call is ever early.
struct Alarm: ~Copyable {
    private let event: Event
    private var time: ReactorClock.Instant?

    init(base: EventBase) throws(SystemError) {
        event = unsafe try Event(base: base, descriptor: -1, interest: [], callback: { _, _, _ in }, context: nil)
    }

    /// Sets the alarm to a moment, or switches it off; setting it to what it is set to costs nothing.
    mutating func set(to newTime: ReactorClock.Instant?, now: @autoclosure () -> ReactorClock.Instant) throws(SystemError) {
        guard newTime != time else { return }
        time = newTime
        if let newTime {
            try event.add(after: now().duration(to: newTime))
        } else {
            event.remove()
        }
    }

    /// Notes that it may have gone off: it must be set again.
    mutating func wentOff() {
        time = nil
    }
}

/// The system's monotonic clock, which no change of the wall clock moves.
enum MonotonicTime {
    static var now: ReactorClock.Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return ReactorClock.Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
