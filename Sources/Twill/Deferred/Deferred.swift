/// A result that will come later, on the reactor's thread, with a chain of calls that wait for it.
///
/// ```swift
/// reactor.deferToThread { try slowLookup(name) }
///     .addCallback { address in print("it is \(address)") }
///     .addErrback { error in print("nobody knows: \(error)") }
/// ```
///
/// # Contract
/// - It fires once, with a value or an error. Calls added before are made in the order in which they were added, those added afterwards
///   at once; those added while the calls are being made, after them.
/// - Each `add…` returns a new `Deferred` of what its closure returns: a link. A closure that throws gives it an error; one that returns a
///   `Deferred` is waited for. Several links of one Deferred get the same result each.
/// - ``AnyDeferred/cancel()`` on any link reaches what the chain waits for.
/// - Chains of any length fire, are cancelled and go away without recursion, in time that grows with their length. One link costs one
///   allocation, besides what its closure captures.
/// - An error that nobody asked for is logged when the `Deferred` goes away, with the place in the source where that was made:
///   where `init` or `add…` was called. That something was cancelled is not logged. Twisted logs that, too.
/// - Who is to fire it holds it, and it holds its links. A link does not hold what it waits for: where a Deferred is dropped before it has fired,
///   its links are not called, and go with it, but for those that somebody holds.
/// - Not guaranteed: that it ever fires. See ``addTimeout(_:on:fileID:line:)``.
///
/// Twisted: `twisted.internet.defer.Deferred`, where adding a call changes the Deferred and returns it.
public class Deferred<Value>: AnyDeferred {
    /// The result, once it is there.
    final var result: Result<Value, any Error>?
    /// What is called to cancel it; let go once it has fired.
    final var canceller: ((Deferred<Value>) -> Void)?

    /// Makes one that has not fired.
    public init(fileID: StaticString = #fileID, line: UInt32 = #line) {
        super.init(.open, fileID, line)
    }

    /// Makes one that has not fired, and says how its result is given up.
    ///
    /// The canceller is called at most once, by ``AnyDeferred/cancel()``, with this Deferred, which it may fire with whatever it likes. If it
    /// does not, the Deferred fails with ``DeferredError/cancelled``. From then on, firing it is an error.
    ///
    /// ```swift
    /// var timer: DelayedCall?
    /// let bell = Deferred<String>(canceller: { _ in timer?.cancelIfActive() })
    /// timer = reactor.callLater(.seconds(10)) { try bell.succeed("ding") }
    /// ```
    public init(
        canceller: @escaping (Deferred<Value>) -> Void, fileID: StaticString = #fileID, line: UInt32 = #line
    ) {
        self.canceller = canceller
        super.init(.open, fileID, line)
    }

    /// Makes one that has fired already.
    public init(_ result: Result<Value, any Error>, fileID: StaticString = #fileID, line: UInt32 = #line) {
        self.result = result
        super.init(.fired, fileID, line)
    }

    /// Makes a link.
    init(linkOf source: AnyDeferred, _ fileID: StaticString, _ line: UInt32) {
        super.init(.waiting, fileID, line)
        source.wasObserved = true
    }

    deinit {
        if canceller != nil { ReleaseQueue.release(call: canceller.take()) }
        if !wasObserved, case .failure(let error) = result { UnhandledErrors.log(error, of: self) }
    }

    /// One that has a value already. Twisted: `succeed`.
    public static func succeed(_ value: Value, fileID: StaticString = #fileID, line: UInt32 = #line) -> Deferred<Value> {
        Deferred(.success(value), fileID: fileID, line: line)
    }

    /// One that has failed already. Twisted: `fail`.
    public static func fail(_ error: any Error, fileID: StaticString = #fileID, line: UInt32 = #line) -> Deferred<Value> {
        Deferred(.failure(error), fileID: fileID, line: line)
    }

    /// Fires with a value. Twisted: `callback`.
    ///
    /// - Throws: ``DeferredError/alreadyFired``; ``DeferredError/firesByItself`` for a link.
    public final func succeed(_ value: Value) throws {
        try fire(.success(value))
    }

    /// Fires with an error. Twisted: `errback`.
    ///
    /// - Throws: ``DeferredError/alreadyFired``; ``DeferredError/firesByItself`` for a link.
    public final func fail(_ error: any Error) throws {
        try fire(.failure(error))
    }

    /// Fires with a value or an error, and makes the calls that wait for it before it returns.
    ///
    /// - Throws: ``DeferredError/alreadyFired``; ``DeferredError/firesByItself`` for a link. Never what a call throws.
    public final func fire(_ result: Result<Value, any Error>) throws {
        if try accept(result) { deliver() }
    }

    /// Takes a result from outside, without handing it on; false where it comes after a cancellation and goes nowhere.
    final func accept(_ result: Result<Value, any Error>) throws -> Bool {
        switch state {
        case .open: settle(result)
        case .givenUp:
            state = .fired
            return false
        case .fired: throw DeferredError.alreadyFired
        case .waiting, .running, .adopting: throw DeferredError.firesByItself
        }
        return true
    }

    /// Takes in its result, without handing it on.
    final func settle(_ result: Result<Value, any Error>) {
        self.result = result
        state = .fired
        canceller = nil
    }

    override func cancelHere() {
        if let canceller {
            self.canceller = nil
            canceller(self)
            guard !hasFired else { return }
            settle(.failure(DeferredError.cancelled))
        } else {
            settle(.failure(DeferredError.cancelled))
            state = .givenUp
        }
        deliver()
    }

    /// Makes another one wait for this one, and serves it at once where the result is there.
    final func add(_ waiter: AnyDeferred) {
        append(waiter)
        if hasFired { deliver() }
    }
}
