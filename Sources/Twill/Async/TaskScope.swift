/// A task of a reactor's as its waits know it: whichever place it waits at, cancelling the task wakes it there.
///
/// That is arranged once for the whole task. A cancellation handler for each wait costs more than all else that a wait does.
final class TaskScope {
    /// That of the task which runs; a child of the task sees it, too, and is not meant: see ``isCurrent``.
    @TaskLocal static var current: ReactorBound<TaskScope>?

    /// Which task it is; 0 once that has ended.
    private var task: UInt = 0
    private var waiting: WaitingPlace?
    private var isCancelled = false

    /// Runs a body as all of a task.
    fileprivate static func run<Value: Sendable>(
        on handle: ReactorHandle, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        let scope = TaskScope()
        scope.task = CurrentTask.identity
        // Another task could get this one's place in memory.
        defer { scope.task = 0 }
        // The scope stays on the reactor's thread: here, and in the call from the thread that cancels.
        let bound = ReactorBound(scope)
        return try await withTaskCancellationHandler {
            try await $current.withValue(bound) { try await body() }
        } onCancel: {
            handle.callFromThread { _ in bound.value.cancel() }
        }
    }

    /// Whether the task that runs is this one.
    @inline(__always)
    var isCurrent: Bool { CurrentTask.identity == task }

    /// Notes where the task waits from now on.
    @inline(__always)
    func wait(at place: WaitingPlace) throws {
        if isCancelled { throw CancellationError() }
        waiting = place
    }

    /// Notes that it waits no more.
    @inline(__always)
    func endWait() {
        waiting = nil
    }

    private func cancel() {
        isCancelled = true
        waiting?.cancel()
    }
}

extension ReactorHandle {
    /// Starts a task on the reactor's thread.
    ///
    /// It prefers the reactor as its executor, and so do its children and all that it calls. Isolating it to an actor instead would cost less at
    /// each `await`, but whoever resumes an isolated task sends it through a thread of Swift's pool first.
    func startTask<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) -> Task<Value, any Error> {
        Task(executorPreference: self) { try await TaskScope.run(on: self, body) }
    }
}
