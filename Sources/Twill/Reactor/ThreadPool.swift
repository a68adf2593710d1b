import Dispatch
import Synchronization

/// A bounded number of threads for work that blocks: name look-ups, files, libraries that know no event loop.
///
/// Threads come when there is work and go when there is none. Work is begun in the order in which it was handed in.
///
/// Twisted: `ThreadPool`, `suggestThreadPoolSize`.
public final class ThreadPool: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var firstWaiting = 0
        var busy = 0
        /// How many of the busy ones have not looked for work yet.
        var starting = 0
        var threadsMax: Int
        /// The queues of threads that have nothing to do.
        var idle: [DispatchQueue] = []
    }

    private let state: Mutex<State>
    private let name: String

    /// Makes a pool of at most so many threads; at least one.
    public init(name: String = "twill.threads", threadsMax: Int = 10) {
        state = Mutex(State(threadsMax: max(1, threadsMax)))
        self.name = name
    }

    /// How many pieces of work may run at once. Lowering it lets running work finish. Twisted: `suggestThreadPoolSize`.
    public var threadsMax: Int {
        get { state.withLock { $0.threadsMax } }
        set {
            state.withLock { $0.threadsMax = max(1, newValue) }
            startWorkers()
        }
    }

    /// Runs a piece of work on one of the threads, as soon as one is free. Twisted: `callInThread`.
    public func run(_ work: @escaping @Sendable () -> Void) {
        state.withLock { $0.waiting.append(work) }
        startWorkers()
    }

    private func startWorkers() {
        while let queue = nextWorker() {
            queue.async { self.workUntilNothingWaits(on: queue) }
        }
    }

    /// A queue for one more thread, where one is allowed and there is work for it.
    ///
    /// Each thread has a serial queue of its own: of a concurrent one, the system runs only about as many threads as there are processors, and
    /// work that blocks would wait for work that blocks.
    private func nextWorker() -> DispatchQueue? {
        state.withLock { state in
            guard state.busy < state.threadsMax, state.waiting.count - state.firstWaiting > state.starting else { return nil }
            state.busy += 1
            state.starting += 1
            return state.idle.popLast() ?? DispatchQueue(label: name)
        }
    }

    private func workUntilNothingWaits(on queue: DispatchQueue) {
        state.withLock { $0.starting -= 1 }
        while let work = nextWork(for: queue) {
            work()
        }
    }

    /// The next piece of work; nil lets the thread go.
    private func nextWork(for queue: DispatchQueue) -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard state.firstWaiting < state.waiting.count, state.busy <= state.threadsMax else {
                state.busy -= 1
                state.idle.append(queue)
                return nil
            }
            let work = state.waiting[state.firstWaiting]
            // What it holds must not live for as long as others wait behind it.
            state.waiting[state.firstWaiting] = {}
            state.firstWaiting += 1
            if state.firstWaiting * 2 >= state.waiting.count {
                state.waiting.removeFirst(state.firstWaiting)
                state.firstWaiting = 0
            }
            return work
        }
    }
}
