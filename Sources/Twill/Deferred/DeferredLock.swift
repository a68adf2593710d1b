/// A lock for things that take several turns of the reactor: one after the other, in the order in which they were asked for.
///
/// ```swift
/// let lock = DeferredLock()
/// lock.run { lookUp("first") }
/// lock.run { lookUp("second") }      // begins when the first has its answer
/// ```
///
/// It says what a ``DeferredSemaphore`` of one token says. It is no lock between threads: a reactor has one.
///
/// Twisted: `DeferredLock`, whose `acquire` gives the lock itself.
public final class DeferredLock {
    private let semaphore = DeferredSemaphore(tokens: 1)

    /// Makes one that nobody holds.
    public init() {}

    /// Whether somebody holds it. Twisted: `locked`.
    public var isLocked: Bool { semaphore.tokens == 0 }

    /// How many wait for it. Twisted: `waiting`.
    public var waitingCount: Int { semaphore.waitingCount }

    /// Takes it: at once where nobody holds it or waits for it, else when it is one's turn. Twisted: `acquire`.
    public func acquire(fileID: StaticString = #fileID, line: UInt32 = #line) -> Deferred<Void> {
        semaphore.acquire(fileID: fileID, line: line)
    }

    /// Gives it to the next one. Twisted: `release`.
    ///
    /// - Throws: ``DeferredError/notAcquired`` where nobody holds it.
    public func release() throws {
        try semaphore.release()
    }

    /// Makes a call that has the lock until it returns. Twisted: `run`.
    @discardableResult
    public func run<Value>(
        _ call: @escaping () throws -> Value, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        semaphore.run(call, fileID: fileID, line: line)
    }

    /// Makes a call that has the lock until the Deferred which it returns has fired.
    @discardableResult
    public func run<Value>(
        _ call: @escaping () throws -> Deferred<Value>, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        semaphore.run(call, fileID: fileID, line: line)
    }
}
