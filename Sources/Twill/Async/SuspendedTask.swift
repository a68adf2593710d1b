/// A task that waits for an event of its reactor, in the hands of whoever will see the event.
///
/// It is resumed exactly once: whoever holds it takes it out of where it is kept to resume it. That is what makes the uses of `unsafe` safe.
@safe
struct SuspendedTask {
    private let continuation: UnsafeContinuation<Void, Never>

    /// Suspends the task that runs, and hands it over; returns when it was resumed.
    ///
    /// It is called on the executor that it returns on. `withUnsafeContinuation` makes sure of that first, which costs 2 % of a message's time;
    /// the variant for inheriting the executor does not. It is no part of the library's promises, so that only compilers get it that have it.
    @inline(__always)
    nonisolated(nonsending) static func suspend(_ handOver: (SuspendedTask) -> Void) async {
        #if compiler(<6.4)
        unsafe await _unsafeInheritExecutor_withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            unsafe handOver(SuspendedTask(continuation: continuation))
        }
        #else
        unsafe await withUnsafeContinuation { unsafe handOver(SuspendedTask(continuation: $0)) }
        #endif
    }

    /// Lets the task go on, at the end of the callback that is running.
    @inline(__always)
    func resume() {
        unsafe continuation.resume()
    }
}
