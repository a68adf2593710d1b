import Logging

/// A result that will come later, on the reactor's thread, with a chain of calls that wait for it.
///
/// ```swift
/// reactor.deferToThread { try slowLookup(name) }
///     .addCallback { address in connect(to: address) }
///     .addErrback { error in log(error) }
/// ```
///
/// # Contract
/// - It fires once, with a value or an error. Calls added before are made in the order in which they were added, those added afterwards
///   at once.
/// - Each `add…` returns a new `Deferred` of what its closure returns. A closure that throws gives it an error; one that returns a
///   `Deferred` is waited for.
/// - Chains of any length fire without recursion.
/// - An error that nobody asked for is logged when the `Deferred` goes away.
///
/// Twisted: `twisted.internet.defer.Deferred`.
public final class Deferred<Value> {
    /// One link of a chain: it takes the result in, and returns the links that are ready because of it.
    private typealias Link = (Result<Value, any Error>) -> [Step]

    private var links: [Link] = []
    private var result: Result<Value, any Error>?
    private var wasObserved = false

    /// Makes one that has not fired.
    public init() {}

    /// Makes one that has fired already. Twisted: `succeed`, `fail`.
    public init(_ result: Result<Value, any Error>) {
        self.result = result
    }

    deinit {
        if case .failure(let error) = result, !wasObserved {
            Logger(label: "twill.deferred").error("Unhandled error in Deferred: \(error)")
        }
    }

    /// Whether the result is there.
    public var hasFired: Bool { result != nil }

    /// Fires with a value. Twisted: `callback`.
    ///
    /// - Throws: ``DeferredError/alreadyFired`` where it has fired before.
    public func succeed(_ value: Value) throws {
        try fire(.success(value))
    }

    /// Fires with an error. Twisted: `errback`.
    ///
    /// - Throws: ``DeferredError/alreadyFired`` where it has fired before.
    public func fail(_ error: any Error) throws {
        try fire(.failure(error))
    }

    /// Fires with a value or an error.
    ///
    /// - Throws: ``DeferredError/alreadyFired`` where it has fired before.
    public func fire(_ result: Result<Value, any Error>) throws {
        guard self.result == nil else { throw DeferredError.alreadyFired }
        Step.runAll(settle(result))
    }

    /// Calls one closure with the value, or the other with the error.
    @discardableResult
    public func addCallbacks<Next>(
        _ callback: @escaping (Value) throws -> Next, _ errback: @escaping (any Error) throws -> Next
    ) -> Deferred<Next> {
        let next = Deferred<Next>()
        add { result in
            next.settle(
                Result {
                    switch result {
                    case .success(let value): try callback(value)
                    case .failure(let error): try errback(error)
                    }
                })
        }
        return next
    }

    /// Calls the closure with the value; an error passes it by.
    @discardableResult
    public func addCallback<Next>(_ callback: @escaping (Value) throws -> Next) -> Deferred<Next> {
        addCallbacks(callback) { throw $0 }
    }

    /// Calls the closure with the value and waits for the `Deferred` that it returns.
    @discardableResult
    public func addCallback<Next>(_ callback: @escaping (Value) throws -> Deferred<Next>) -> Deferred<Next> {
        let next = Deferred<Next>()
        add { result in
            do {
                return try callback(result.get()).link { next.settle($0) }
            } catch {
                return next.settle(.failure(error))
            }
        }
        return next
    }

    /// Calls the closure with the error, to make a value of it or throw another; a value passes it by.
    @discardableResult
    public func addErrback(_ errback: @escaping (any Error) throws -> Value) -> Deferred<Value> {
        addCallbacks({ $0 }, errback)
    }

    /// Calls the closure with whatever comes.
    @discardableResult
    public func addBoth<Next>(_ callback: @escaping (Result<Value, any Error>) throws -> Next) -> Deferred<Next> {
        addCallbacks({ try callback(.success($0)) }, { try callback(.failure($0)) })
    }

    private func add(_ link: @escaping Link) {
        Step.runAll(self.link(link))
    }

    /// Adds a link, and returns what is ready because of it where the result is there already.
    private func link(_ link: @escaping Link) -> [Step] {
        wasObserved = true
        if let result {
            return [Step { link(result) }]
        }
        links.append(link)
        return []
    }

    private func settle(_ result: Result<Value, any Error>) -> [Step] {
        self.result = result
        let ready = links
        links = []
        return ready.map { link in Step { link(result) } }
    }
}

/// Something a chain of Deferreds is ready to do; it returns what else became ready, so that a loop replaces the recursion.
private struct Step {
    let run: () -> [Step]

    init(_ run: @escaping () -> [Step]) {
        self.run = run
    }

    static func runAll(_ steps: [Step]) {
        // A stack, the first step on top: what a call made ready goes before what was ready earlier, as in a recursion.
        var stack = Array(steps.reversed())
        while let step = stack.popLast() {
            stack.append(contentsOf: step.run().reversed())
        }
    }
}

/// A call that does not fit the state of a ``Deferred``.
public enum DeferredError: Error, CustomStringConvertible, Sendable {
    /// It was fired a second time. Twisted: `AlreadyCalledError`.
    case alreadyFired

    public var description: String { "the Deferred has fired already: it takes one result" }
}
