/// A reactor is an executor: tasks that prefer it, and actors that name it, run on its thread.
///
/// ```swift
/// actor Room {
///     let handle: ReactorHandle
///     nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }
///     init(_ handle: ReactorHandle) { self.handle = handle }
/// }
/// ```
///
/// What a callback makes ready runs before that callback is over, and so without a turn of the loop; what another thread makes ready wakes the
/// loop. Once the reactor is gone, what is still to run is run by whoever makes it ready, one at a time, so that every task comes to its end.
extension ReactorHandle: SerialExecutor, TaskExecutor {
    public func enqueue(_ job: consuming ExecutorJob) {
        take(ReadyJob(job: UnownedJob(job), isIsolated: false))
    }

    fileprivate func take(_ job: ReadyJob) {
        if jobs.isOnThread {
            jobs.append(job)
        } else {
            post(job)
        }
    }

    /// What an actor names as its executor to run on the reactor's thread. Keep the handle for as long as the actor lives.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        // The handle keeps it.
        unsafe UnownedSerialExecutor(ordinary: isolation)
    }

    /// Whether the caller runs on the reactor's thread, inside its loop.
    public func isIsolatingCurrentContext() -> Bool? { jobs.isOnThread }

    public func checkIsolated() {
        precondition(jobs.isOnThread, "this is not the reactor's thread: call it from a callback of the reactor's, or by callFromThread")
    }

    /// Runs a job now.
    @inline(__always)
    func run(_ ready: ReadyJob) {
        // Both name what this object is or keeps, and the caller keeps it.
        if ready.isIsolated {
            unsafe ready.job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        } else {
            unsafe ready.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// A piece of a task that can run, and whether it belongs to an actor of the reactor's.
///
/// The two are run in different ways: a task that seemed to be an actor's would have to be enqueued again for each call that is no actor's.
struct ReadyJob {
    let job: UnownedJob
    let isIsolated: Bool
}

/// The reactor as the executor of actors.
///
/// Its handle is written once, before anybody else has seen either of them, and keeps it. That is what makes the reference valid, and the
/// `@unchecked` true.
@safe
final class ReactorIsolation: SerialExecutor, @unchecked Sendable {
    unowned(unsafe) var handle: ReactorHandle?

    func enqueue(_ job: consuming ExecutorJob) {
        unsafe handle?.take(ReadyJob(job: UnownedJob(job), isIsolated: true))
    }

    func isIsolatingCurrentContext() -> Bool? { unsafe handle?.isIsolatingCurrentContext() }

    func checkIsolated() { unsafe handle?.checkIsolated() }
}
