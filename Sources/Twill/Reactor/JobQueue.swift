import Synchronization

/// The pieces of tasks that are ready to run on a reactor's thread, made ready there.
///
/// Each callback of the reactor ends by running them, so that an `await` costs no turn of the loop.
///
/// Everything but the thread's number is used on the reactor's thread alone, which the number is there to tell. That is what makes the `@unchecked` true.
package final class JobQueue: @unchecked Sendable {
    /// How many rounds one callback runs of jobs that made each other ready: a task that always yields must not keep the loop from its sockets.
    private static let roundsMax = 64

    /// The number of the thread that runs the loop now; 0 where none does.
    private let thread = Atomic<UInt>(0)
    private var jobs: [ReadyJob] = []
    /// Those of the round that runs now; its memory and that of the next change places.
    private var running: [ReadyJob] = []
    private var isRunning = false
    /// Whether there is more to do at the end of a callback than to send what it wrote to a stream: jobs wait, or datagrams do.
    ///
    /// One flag for both, because it is looked at after each callback.
    package var hasMore = false

    init() {}

    /// Whether the caller is on the thread that runs the loop.
    @inline(__always)
    package var isOnThread: Bool { thread.load(ordering: .relaxed) == ThreadIdentity.current }

    /// Begins to belong to this thread.
    package func enter() {
        thread.store(ThreadIdentity.current, ordering: .relaxed)
    }

    /// Belongs to no thread any more.
    package func leave() {
        thread.store(0, ordering: .relaxed)
    }

    /// Adds a job; on the reactor's thread.
    @inline(__always)
    func append(_ job: ReadyJob) {
        jobs.append(job)
        hasMore = true
    }

    package var isEmpty: Bool { jobs.isEmpty }

    /// Runs those that are ready, and those that these make ready; false where some are left for the next turn.
    package func run(on handle: ReactorHandle) -> Bool {
        guard !isRunning, !jobs.isEmpty else { return true }
        isRunning = true
        defer { isRunning = false }
        for _ in 0..<Self.roundsMax {
            swap(&jobs, &running)
            for job in running { handle.run(job) }
            running.removeAll(keepingCapacity: true)
            if jobs.isEmpty { return true }
        }
        return false
    }

    /// Hands over those that were not run, because the reactor is going away.
    func takeAll() -> [ReadyJob] {
        defer { jobs = [] }
        return jobs
    }
}
