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

/// The place of one task that waits, and can be cancelled meanwhile.
final class WaitingPlace {
    private var task: SuspendedTask?
    /// Which of the waits is the present one: a cancellation may arrive late.
    private var number = 0
    private var wasCancelled = false

    /// Whether a task waits here.
    var isTaken: Bool { task != nil }

    /// Waits until ``wake()``; on the reactor's thread, by one task at a time.
    ///
    /// - Throws: `CancellationError` where the task was cancelled, before or meanwhile.
    nonisolated(nonsending) func wait(on handle: ReactorHandle) async throws {
        if Task.isCancelled { throw CancellationError() }
        number += 1
        wasCancelled = false
        let bound = ReactorBound((place: self, number: number))
        await withTaskCancellationHandler {
            await SuspendedTask.suspend { task = $0 }
        } onCancel: {
            handle.callFromThread { _ in bound.value.place.cancel(bound.value.number) }
        }
        if wasCancelled { throw CancellationError() }
    }

    /// Lets the task that waits go on, if one does.
    @inline(__always)
    func wake() {
        guard let task else { return }
        self.task = nil
        task.resume()
    }

    private func cancel(_ number: Int) {
        guard number == self.number, isTaken else { return }
        wasCancelled = true
        wake()
    }
}
