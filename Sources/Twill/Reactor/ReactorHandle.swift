import Synchronization

/// The way into a reactor from other threads: the one part of it that may be handed to them.
///
/// ```swift
/// import Foundation
///
/// let handle = reactor.handle
/// Thread.detachNewThread {
///     let answer = (1...20).reduce(1, *)
///     handle.callFromThread { _ in print(answer) }
/// }
/// ```
///
/// # Contract
/// - Calls of one thread are made in the order in which it handed them in, each exactly once, on the reactor's thread; one batch each turn.
/// - A sleeping reactor wakes up for them. Calls handed in while it does not run wait until it does.
/// - When the reactor is gone, calls are dropped: the handle itself may outlive it.
///
/// Twisted: `IReactorFromThreads`.
public final class ReactorHandle: Sendable {
    /// What a call gets is the reactor itself, on its own thread.
    public typealias Call = (any Reactor) throws -> Void

    private struct Mailbox {
        var calls: [ReactorBound<Call>] = []
        var jobs: [ReadyJob] = []
        var isClosed = false
        /// Whether a thread runs the jobs of a reactor that is gone: another one's would be of the same actors.
        var isDraining = false

        var isEmpty: Bool { calls.isEmpty && jobs.isEmpty }
    }

    private let mailbox = Mutex(Mailbox())
    private let wake: @Sendable () -> Void
    /// What is ready to run, of what the reactor's own thread has made ready.
    let jobs = JobQueue()
    /// The reactor as the executor of actors.
    let isolation = ReactorIsolation()

    package init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
        unsafe isolation.handle = self
    }

    /// Makes a call on the reactor's thread, on its next turn.
    ///
    /// An error that it throws is logged. Twisted: `callFromThread`.
    public func callFromThread(_ call: sending @escaping Call) {
        let call = ReactorBound(call)
        let needsWaking = mailbox.withLock { mailbox in
            guard !mailbox.isClosed else { return false }
            defer { mailbox.calls.append(call) }
            // Whoever finds the box empty rings; the reactor takes the whole box at once.
            return mailbox.isEmpty
        }
        if needsWaking { wake() }
    }

    /// Stops the reactor, from any thread: see ``Reactor/stop()``.
    public func stop() {
        callFromThread { $0.stop() }
    }

    /// Takes what other threads handed in so far; the pieces of tasks are then to be run by ``JobQueue/run(on:)``.
    package func takeCalls() -> [ReactorBound<Call>] {
        // Both at once: whoever finds the box empty rings, and nobody else does.
        let (calls, pieces) = mailbox.withLock { mailbox in
            defer { (mailbox.calls, mailbox.jobs) = ([], []) }
            return (mailbox.calls, mailbox.jobs)
        }
        for job in pieces { jobs.append(job) }
        return calls
    }

    /// Adds a piece of a task from another thread.
    func post(_ job: ReadyJob) {
        let (needsWaking, isClosed) = mailbox.withLock { mailbox in
            defer { mailbox.jobs.append(job) }
            return (mailbox.isEmpty, mailbox.isClosed)
        }
        if isClosed { drain() } else if needsWaking { wake() }
    }

    /// The reactor's loop goes on, on this thread: what becomes ready here is the loop's to run.
    package func beginLoop() { jobs.enter() }

    /// The loop pauses: what becomes ready is handed in, as from another thread.
    package func endLoop() { jobs.leave() }

    /// Whether pieces of tasks wait to be run at the end of the callback.
    package var hasJobs: Bool { jobs.hasMore }

    /// Runs them, and those that they make ready; false where some are left for the next turn.
    package func runJobs() -> Bool {
        jobs.hasMore = !jobs.run(on: self)
        return !jobs.hasMore
    }

    /// Lets a layer do something when the callback that runs, and the tasks that it has made ready, are done, and before what they wrote is sent:
    /// one that gathers what is written sends it then. On the reactor's thread; between callbacks it is done with the next one.
    package func atEndOfCallback(_ ending: any CallbackEnding) {
        jobs.append(ending)
    }

    /// The one object of a kind that a layer keeps for the whole reactor, which is made when it is first asked for. On the reactor's thread.
    package func belonging<Kind: AnyObject>(_ make: () throws -> Kind) rethrows -> Kind {
        if let there = jobs.belongings[ObjectIdentifier(Kind.self)] as? Kind { return there }
        let made = try make()
        jobs.belongings[ObjectIdentifier(Kind.self)] = made
        return made
    }

    /// Drops all calls from now on; the reactor is going away. Tasks go on to their end.
    package func close() {
        let dropped = mailbox.withLock { mailbox in
            mailbox.isClosed = true
            mailbox.jobs.insert(contentsOf: jobs.takeAll(), at: 0)
            defer { mailbox.calls = [] }
            return mailbox.calls
        }
        // Let go only here, outside of the lock: what the calls held may have something to say to this handle.
        _ = consume dropped
        drain()
    }

    /// Runs jobs on this thread until none is left, unless another thread or a caller of this one does so already.
    private func drain() {
        let begins = mailbox.withLock { mailbox in
            defer { mailbox.isDraining = true }
            return !mailbox.isDraining
        }
        guard begins else { return }
        while let job = nextDrained() { run(job) }
    }

    private func nextDrained() -> ReadyJob? {
        mailbox.withLock { mailbox in
            guard !mailbox.jobs.isEmpty else {
                mailbox.isDraining = false
                return nil
            }
            return mailbox.jobs.removeFirst()
        }
    }
}
