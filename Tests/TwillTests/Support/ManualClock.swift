import Synchronization

@testable import Twill

/// A clock that stands still until the test moves it.
final class ManualClock: Sendable {
    private let nanoseconds = Mutex<Int64>(0)

    /// The clock as a reactor's.
    var clock: ReactorClock { ReactorClock { ReactorClock.Instant(nanoseconds: self.nanoseconds.withLock { $0 }) } }

    /// Moves the time on.
    func advance(by duration: Duration) {
        nanoseconds.withLock { $0 += duration.clampedNanoseconds }
    }
}
