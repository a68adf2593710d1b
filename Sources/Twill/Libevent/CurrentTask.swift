/// The task that runs.
enum CurrentTask {
    /// Which one it is, among those that are alive; 0 where none is.
    @inline(__always)
    static var identity: UInt {
        // Where it lies in memory: one word, which is compared and never made a reference again.
        unsafe withUnsafeCurrentTask { unsafe unsafeBitCast($0, to: UInt.self) }
    }

    /// A way to cancel it, to be used while it has not ended.
    static var canceller: TaskCanceller { unsafe withUnsafeCurrentTask { unsafe TaskCanceller(task: $0) } }
}

/// Cancels a task. Whoever has one knows that the task has not ended: that is what makes the reference valid.
@safe
struct TaskCanceller {
    fileprivate let task: UnsafeCurrentTask?

    func cancel() {
        unsafe task?.cancel()
    }
}
