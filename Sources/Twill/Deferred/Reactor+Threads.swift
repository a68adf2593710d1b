import Logging
import Synchronization

extension Reactor {
    /// Runs blocking work on the thread pool; its result comes back on the reactor's thread.
    ///
    /// Cancelling it takes back work that no thread has begun. Work that has begun goes on, since nothing can stop a thread; its result is
    /// dropped. When the reactor goes first, it does not fire. Twisted: `deferToThread`, where cancelling leaves the work as it is.
    public func deferToThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Deferred<Value> {
        let isWanted = Wish()
        let deferred = Deferred<Value>(canceller: { _ in isWanted.giveUp() })
        let bound = ReactorBound(deferred)
        let handle = handle
        threadPool.run {
            // It has fired, and holds nothing that could matter on this thread.
            guard isWanted.isAlive else { return }
            let result = Result { try work() }
            handle.callFromThread { _ in
                if !bound.value.hasFired { try bound.value.fire(result) }
            }
        }
        return deferred
    }

    /// Runs blocking work on the thread pool, whose end nobody waits for. An error that it throws is logged. Twisted: `callInThread`.
    public func callInThread(_ work: @escaping @Sendable () throws -> Void) {
        let logger = logger
        threadPool.run {
            do {
                try work()
            } catch {
                logger.error("a call in a thread threw: \(error)")
            }
        }
    }
}

/// Whether somebody still wants the result of work on another thread.
private final class Wish: Sendable {
    private let flag = Atomic(true)

    var isAlive: Bool { flag.load(ordering: .relaxed) }

    func giveUp() {
        flag.store(false, ordering: .relaxed)
    }
}
