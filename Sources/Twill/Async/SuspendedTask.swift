/// A task that waits for an event of its reactor, in the hands of whoever will see the event.
///
/// It is resumed exactly once: whoever holds it takes it out of where it is kept to resume it. That is what makes the uses of `unsafe` safe.
@safe
struct SuspendedTask {
    private let continuation: UnsafeContinuation<Void, Never>

    /// Suspends the task that runs, and hands it over; returns when it was resumed.
    @inline(__always)
    nonisolated(nonsending) static func suspend(_ handOver: (SuspendedTask) -> Void) async {
        unsafe await withUnsafeContinuation { unsafe handOver(SuspendedTask(continuation: $0)) }
    }

    /// Lets the task go on, at the end of the callback that is running.
    @inline(__always)
    func resume() {
        unsafe continuation.resume()
    }
}
