/// A task of a reactor's as its waits know it: whichever place it waits at, cancelling the task wakes it there.
///
/// That is arranged once for the whole task. A cancellation handler for each wait costs more than all else that a wait does.
final class TaskScope {
    private let handle: ReactorHandle
    private let task: UInt
    /// The how-manieth of the reactor's it is.
    fileprivate let number: UInt64
    private let canceller: TaskCanceller
    private var waiting: WaitingPlace?
    private var isCancelled = false

    /// Begins that of the task which runs; on the reactor's thread. Whoever begins it ends it before the task is over, and calls ``cancel()``
    /// there where the task is cancelled.
    init(on handle: ReactorHandle) {
        self.handle = handle
        task = CurrentTask.identity
        canceller = CurrentTask.canceller
        number = handle.jobs.nextScopeNumber
        handle.jobs.nextScopeNumber += 1
        handle.jobs.scopes[task] = self
    }

    /// Ends it: another task could get this one's place in memory.
    func end() {
        handle.jobs.scopes[task] = nil
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

    /// Cancels the task, and wakes it where it waits.
    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        canceller.cancel()
        waiting?.cancel()
    }
}

extension ReactorHandle {
    /// The scope of the task that runs; nil where it is none that the reactor started, but a child of such a task, say.
    var currentScope: TaskScope? { jobs.isOnThread ? jobs.scopes[CurrentTask.identity] : nil }

    /// Cancels all tasks that the reactor has started, because it closes everything that they can wait for; on its thread.
    package func cancelTasks() {
        // In the order in which they began: what follows is the same each time.
        for scope in jobs.scopes.values.sorted(by: { $0.number < $1.number }) { scope.cancel() }
    }

    /// Starts a task on the reactor's thread.
    ///
    /// It prefers the reactor as its executor, and so do its children and all that it calls. Isolating it to an actor instead would cost less at
    /// each `await`, but whoever resumes an isolated task sends it through a thread of Swift's pool first.
    func startTask<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) -> Task<Value, any Error> {
        Task(executorPreference: self) {
            let scope = TaskScope(on: self)
            defer { scope.end() }
            // The scope stays on the reactor's thread: here, and in the call from the thread that cancels.
            let bound = ReactorBound(scope)
            return try await withTaskCancellationHandler {
                try await body()
            } onCancel: {
                self.callFromThread { _ in bound.value.cancel() }
            }
        }
    }
}
