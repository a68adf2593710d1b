import CLibevent

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

    init(loop: LibeventReactor) throws(SystemError) {
        event = unsafe try Event(
            base: loop.base, descriptor: -1, interest: [],
            callback: { _, _, context in
                guard let context = unsafe context else { return }
                // The reactor owns the alarm, and so outlives its event.
                unsafe Unmanaged<LibeventReactor>.fromOpaque(context).takeUnretainedValue().alarmRang = true
            },
            context: Unmanaged.passUnretained(loop).toOpaque())
    }

    /// Sets the alarm to so long from now.
    func set(after delay: Duration) throws(SystemError) {
        try event.add(after: delay)
    }

    /// Switches it off.
    func switchOff() {
        event.remove()
    }
}

/// The system's wall clock, which people and other programs set.
enum WallTime {
    /// The time since 1970 began.
    static var now: Duration { .nanoseconds(twill_clock_nanoseconds(CLOCK_REALTIME)) }
}

/// The system's monotonic clock, which no change of the wall clock moves.
enum MonotonicTime {
    static var now: ReactorClock.Instant {
        ReactorClock.Instant(nanoseconds: twill_clock_nanoseconds(CLOCK_MONOTONIC))
    }

    /// Nanoseconds of the same clock at the last tick of the system, some milliseconds ago at most. Never 0, and quick to read.
    @inline(__always)
    static var roughly: Int64 {
        #if canImport(Darwin)
        twill_clock_nanoseconds(CLOCK_MONOTONIC_RAW_APPROX)
        #else
        twill_clock_nanoseconds(CLOCK_MONOTONIC_COARSE)
        #endif
    }
}
