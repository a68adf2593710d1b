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
        var threadsMax: Int
    }

    private let state: Mutex<State>
    private let queue: DispatchQueue

    /// Makes a pool of at most so many threads; at least one.
    public init(name: String = "twill.threads", threadsMax: Int = 10) {
        state = Mutex(State(threadsMax: max(1, threadsMax)))
        queue = DispatchQueue(label: name, attributes: .concurrent)
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
        let count = state.withLock { state in
            let wanted = min(state.waiting.count - state.firstWaiting, state.threadsMax - state.busy)
            guard wanted > 0 else { return 0 }
            state.busy += wanted
            return wanted
        }
        for _ in 0..<count {
            queue.async { self.workUntilNothingWaits() }
        }
    }

    private func workUntilNothingWaits() {
        while let work = nextWork() {
            work()
        }
    }

    private func nextWork() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard state.firstWaiting < state.waiting.count, state.busy <= state.threadsMax else {
                state.busy -= 1
                return nil
            }
            let work = state.waiting[state.firstWaiting]
            state.firstWaiting += 1
            if state.firstWaiting == state.waiting.count {
                state.waiting = []
                state.firstWaiting = 0
            }
            return work
        }
    }
}
