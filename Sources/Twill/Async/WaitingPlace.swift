/// The place of one task that waits, and can be cancelled meanwhile.
final class WaitingPlace {
    private var task: SuspendedTask?
    /// Which of the waits is the present one: a cancellation may arrive late.
    private var number = 0
    private var wasCancelled = false

    /// Whether a task waits here.
    @inline(__always)
    var isTaken: Bool { task != nil }

    /// Waits until ``wake()``; on the reactor's thread, by one task at a time.
    ///
    /// - Parameter scope: that of the task that waits, if its reactor started it. Any other is none.
    /// - Throws: `CancellationError` where the task was cancelled, before or meanwhile.
    @inline(__always)
    nonisolated(nonsending) func wait(on handle: ReactorHandle, in scope: TaskScope?) async throws {
        guard let scope, scope.isCurrent else { return try await wait(on: handle) }
        try scope.wait(at: self)
        await SuspendedTask.suspend { task = $0 }
        scope.endWait()
        if wasCancelled { throw endCancelled() }
    }

    /// The same for any task.
    nonisolated(nonsending) func wait(on handle: ReactorHandle) async throws {
        if Task.isCancelled { throw CancellationError() }
        number += 1
        let bound = ReactorBound((place: self, number: number))
        await withTaskCancellationHandler {
            await SuspendedTask.suspend { task = $0 }
        } onCancel: {
            handle.callFromThread { _ in
                if bound.value.number == bound.value.place.number { bound.value.place.cancel() }
            }
        }
        if wasCancelled { throw endCancelled() }
    }

    private func endCancelled() -> CancellationError {
        wasCancelled = false
        return CancellationError()
    }

    /// Lets the task that waits go on, if one does.
    @inline(__always)
    func wake() {
        guard let task else { return }
        self.task = nil
        task.resume()
    }

    /// Lets the task that waits go on, and its wait fail.
    func cancel() {
        guard isTaken else { return }
        wasCancelled = true
        wake()
    }
}
