import Synchronization

/// What a layer does at the end of a callback in which it asked for it; see ``ReactorHandle/atEndOfCallback(_:)``.
package protocol CallbackEnding: AnyObject {
    /// Called once for each time it was asked for, on the reactor's thread.
    func callbackEnds()
}

/// The pieces of tasks that are ready to run on a reactor's thread, made ready there.
///
/// Each callback of the reactor ends by running them, so that an `await` costs no turn of the loop.
///
/// Everything but the thread's number is used on the reactor's thread alone, which the number is there to tell. That is what makes the `@unchecked` true.
final class JobQueue: @unchecked Sendable {
    /// How many rounds one callback runs of jobs that made each other ready: a task that always yields must not keep the loop from its sockets.
    private static let roundsMax = 64

    /// The number of the thread that runs the loop now; 0 where none does.
    private let thread = Atomic<UInt>(0)
    /// The job that is to run next. It is mostly the only one, and has a place of its own for that.
    private var next: ReadyJob?
    /// Those behind it; none where there is no next one.
    private let others = PlainBox<[ReadyJob]>([])
    /// The others of the round that runs now; its memory and that of the next round change places.
    private let running = PlainBox<[ReadyJob]>([])
    private var isRunning = false
    /// What layers do when the jobs are done, in the order in which they asked.
    private var endings: [any CallbackEnding] = []
    /// Whether there are any: asked after each piece of a task, for less than an array is.
    private var hasEndings = false
    /// What layers keep for the reactor, by their types.
    var belongings: [ObjectIdentifier: AnyObject] = [:]
    /// Whether there is more to do at the end of a callback than to send what it wrote to a stream: jobs wait, or datagrams do.
    ///
    /// One flag for all, because it is looked at after each callback.
    var hasMore = false

    /// The tasks that the reactor has started and that have not ended, by their identity.
    var scopes: [UInt: TaskScope] = [:]
    var nextScopeNumber: UInt64 = 0

    /// Whether the caller is on the thread that runs the loop.
    @inline(__always)
    var isOnThread: Bool { thread.load(ordering: .relaxed) == ThreadIdentity.current }

    /// Begins to belong to this thread.
    func enter() {
        thread.store(ThreadIdentity.current, ordering: .relaxed)
    }

    /// Belongs to no thread any more.
    func leave() {
        thread.store(0, ordering: .relaxed)
    }

    /// Adds a job; on the reactor's thread.
    @inline(__always)
    func append(_ job: ReadyJob) {
        if next == nil { next = job } else { others.value.append(job) }
        hasMore = true
    }

    /// Adds what is to be done once, when the jobs of this callback are done.
    func append(_ ending: any CallbackEnding) {
        endings.append(ending)
        hasEndings = true
        hasMore = true
    }

    /// Runs those that are ready, and those that these make ready; false where some are left for the next turn.
    func run(on handle: ReactorHandle) -> Bool {
        guard !isRunning else { return true }
        isRunning = true
        defer { isRunning = false }
        for _ in 0..<Self.roundsMax {
            guard let first = next else {
                if !hasEndings { return true }
                end()
                continue
            }
            next = nil
            guard !others.value.isEmpty else {
                handle.run(first)
                continue
            }
            swap(&others.value, &running.value)
            handle.run(first)
            for number in running.value.indices { handle.run(running.value[number]) }
            running.value.removeAll(keepingCapacity: true)
        }
        // What these send must leave with this callback, whatever becomes ready by it.
        if hasEndings { end() }
        return next == nil && !hasEndings
    }

    @inline(never)
    private func end() {
        hasEndings = false
        var now: [any CallbackEnding] = []
        swap(&now, &endings)
        for ending in now { ending.callbackEnds() }
        // The memory goes back where nothing new has taken its place.
        now.removeAll(keepingCapacity: true)
        if endings.isEmpty { swap(&now, &endings) }
    }

    /// Hands over those that were not run, because the reactor is going away.
    func takeAll() -> [ReadyJob] {
        defer { (next, others.value) = (nil, []) }
        return (next.map { [$0] } ?? []) + others.value
    }
}
