/// A number of tokens for things that may happen only so many times at once: those who want one more wait for their turn.
///
/// ```swift
/// let four = DeferredSemaphore(tokens: 4)
/// for name in names {
///     four.run { lookUp(name) }.addCallback { print($0) }
/// }
/// ```
///
/// # Contract
/// - Tokens go to those who wait in the order in which they came; nobody overtakes.
/// - ``release()`` makes the next one's calls before it returns; but not from inside such a call, whose end it waits for. So any number of those who
///   wait may be served by each other without recursion.
/// - Cancelling what ``acquire(fileID:line:)`` returned leaves the line. Cancelling what `run` returned does so, too, while it waits; later it
///   cancels what its closure has returned.
///
/// Twisted: `DeferredSemaphore`.
public final class DeferredSemaphore {
    /// How many tokens there are in all. Twisted: `limit`.
    public let limit: Int
    /// How many of them are free. Twisted: `tokens`.
    public private(set) var tokens: Int
    private var line = WaitingLine<Deferred<Void>>()
    private var isHandingOut = false

    /// Makes one with so many tokens; at least one.
    public init(tokens: Int) {
        limit = max(1, tokens)
        self.tokens = limit
    }

    /// How many wait. Twisted: `waiting`.
    public var waitingCount: Int { line.count }

    /// Takes a token: at once where one is free and nobody waits, else when it is one's turn. Twisted: `acquire`.
    public func acquire(fileID: StaticString = #fileID, line place: UInt32 = #line) -> Deferred<Void> {
        if tokens > 0, line.isEmpty {
            tokens -= 1
            return .succeed((), fileID: fileID, line: place)
        }
        let number = line.nextNumber
        let turn = Deferred<Void>(canceller: { [weak self] _ in self?.line.remove(number) }, fileID: fileID, line: place)
        line.append(turn)
        return turn
    }

    /// Gives a token back, and with it the next one his turn. Twisted: `release`.
    ///
    /// - Throws: ``DeferredError/notAcquired`` where all of them are here.
    public func release() throws {
        guard tokens < limit else { throw DeferredError.notAcquired }
        giveBack()
    }

    private func giveBack() {
        tokens += 1
        guard !isHandingOut else { return }
        isHandingOut = true
        defer { isHandingOut = false }
        while tokens > 0, let turn = line.popFirst() {
            tokens -= 1
            // Where somebody else has fired it, nobody will give the token back.
            do { try turn.succeed(()) } catch { tokens += 1 }
        }
    }

    /// Makes a call once there is a token, which goes back when the call has returned. Twisted: `run`.
    @discardableResult
    public func run<Value>(
        _ call: @escaping () throws -> Value, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        acquire().addCallback(
            { () throws -> Value in
                defer { self.giveBack() }
                return try call()
            }, fileID: fileID, line: line)
    }

    /// Makes a call once there is a token, which goes back when the Deferred that the call returns has fired.
    @discardableResult
    public func run<Value>(
        _ call: @escaping () throws -> Deferred<Value>, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        acquire().addCallback(
            { () -> Deferred<Value> in
                maybeDeferred(call).addBoth { (result: Result<Value, any Error>) throws -> Value in
                    self.giveBack()
                    return try result.get()
                }
            }, fileID: fileID, line: line)
    }
}
