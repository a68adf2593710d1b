import Dispatch

/// Lets one thread wait until another one says that it may go on.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func wait() { semaphore.wait() }

    /// The same, for no longer than the limit.
    func wait(within limit: Duration) {
        let (seconds, attoseconds) = limit.components
        _ = semaphore.wait(timeout: .now() + .seconds(Int(seconds)) + .nanoseconds(Int(attoseconds / 1_000_000_000)))
    }
}
