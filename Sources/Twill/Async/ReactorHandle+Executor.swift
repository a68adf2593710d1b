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
        let job = UnownedJob(job)
        if jobs.isOnThread {
            jobs.append(job)
        } else {
            post(job)
        }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        // Whoever asks keeps this object, as every executor is kept by those that use it.
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    /// Whether the caller runs on the reactor's thread, inside its loop.
    public func isIsolatingCurrentContext() -> Bool? { jobs.isOnThread }

    public func checkIsolated() {
        precondition(jobs.isOnThread, "this is not the reactor's thread: call it from a callback of the reactor's, or by callFromThread")
    }

    /// Runs a job now.
    func run(_ job: UnownedJob) {
        // Both name this object, which the caller keeps.
        unsafe job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
}
