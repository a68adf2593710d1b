import Synchronization

@testable import Twill

/// A clock that stands still until the test moves it.
final class ManualClock: Sendable {
    private let nanoseconds = Mutex<Int64>(0)

    /// The clock as a reactor's.
    var clock: ReactorClock { clock(of: ReactorHandle {}) }

    /// The clock of the reactor behind a handle.
    func clock(of handle: ReactorHandle) -> ReactorClock {
        ReactorClock(of: handle) { ReactorClock.Instant(nanoseconds: self.nanoseconds.withLock { $0 }) }
    }

    /// Moves the time on.
    func advance(by duration: Duration) {
        nanoseconds.withLock { $0 += duration.clampedNanoseconds }
    }
}
