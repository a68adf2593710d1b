import Synchronization

/// The way into a reactor from other threads: the one part of it that may be handed to them.
///
/// ```swift
/// let handle = reactor.handle
/// Thread.detachNewThread {
///     let answer = slowComputation()
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
        var isClosed = false
    }

    private let mailbox = Mutex(Mailbox())
    private let wake: @Sendable () -> Void
    /// The thread that runs the loop; 0 where none does.
    private let loopThread = Atomic<UInt>(0)

    package init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    /// Makes a call on the reactor's thread, on its next turn.
    ///
    /// An error that it throws is logged. Twisted: `callFromThread`.
    public func callFromThread(_ call: sending @escaping Call) {
        let call = ReactorBound(call)
        let needsWaking = mailbox.withLock { mailbox in
            guard !mailbox.isClosed else { return false }
            mailbox.calls.append(call)
            // Whoever finds the box empty rings; the reactor takes the whole box at once.
            return mailbox.calls.count == 1
        }
        if needsWaking { wake() }
    }

    /// Stops the reactor, from any thread: see ``Reactor/stop()``.
    public func stop() {
        callFromThread { $0.stop() }
    }

    /// Whether this is the thread that runs the reactor at present.
    package var isOnLoopThread: Bool { loopThread.load(ordering: .relaxed) == ThreadIdentity.current }

    /// The reactor begins to run on this thread.
    package func loopBegins() {
        loopThread.store(ThreadIdentity.current, ordering: .relaxed)
    }

    /// The reactor runs on no thread any more.
    package func loopEnds() {
        loopThread.store(0, ordering: .relaxed)
    }

    /// Takes what other threads handed in so far.
    package func takeCalls() -> [ReactorBound<Call>] {
        mailbox.withLock { mailbox in
            let calls = mailbox.calls
            mailbox.calls = []
            return calls
        }
    }

    /// Drops everything from now on; the reactor is going away.
    package func close() {
        let dropped = mailbox.withLock { mailbox in
            mailbox.isClosed = true
            defer { mailbox.calls = [] }
            return mailbox.calls
        }
        // Let go only here, outside of the lock: what the calls held may have something to say to this handle.
        _ = consume dropped
    }
}
