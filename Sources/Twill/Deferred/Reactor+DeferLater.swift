extension Reactor {
    /// Makes a call after a delay, and a Deferred of what it returns. Cancelling that takes the call back. Twisted: `deferLater`.
    ///
    /// ```swift
    /// reactor.deferLater(.seconds(2)) { try slowLookup(name) }.addCallback { print($0) }
    /// ```
    ///
    /// When the reactor goes first, it does not fire.
    @discardableResult
    public func deferLater<Value>(
        _ delay: Duration, fileID: StaticString = #fileID, line: UInt32 = #line, _ call: @escaping () throws -> Value
    ) -> Deferred<Value> {
        deferLater(delay, fileID: fileID, line: line).addCallback(call, fileID: fileID, line: line)
    }

    /// Makes a call after a delay, and waits for the Deferred that it returns; which is what cancelling reaches from then on.
    @discardableResult
    public func deferLater<Value>(
        _ delay: Duration, fileID: StaticString = #fileID, line: UInt32 = #line, _ call: @escaping () throws -> Deferred<Value>
    ) -> Deferred<Value> {
        deferLater(delay, fileID: fileID, line: line).addCallback(call, fileID: fileID, line: line)
    }

    /// A Deferred that fires after a delay.
    public func deferLater(_ delay: Duration, fileID: StaticString = #fileID, line: UInt32 = #line) -> Deferred<Void> {
        var timer: DelayedCall?
        let deferred = Deferred<Void>(canceller: { _ in timer?.cancelIfActive() }, fileID: fileID, line: line)
        timer = callLater(delay) { try deferred.succeed(()) }
        return deferred
    }
}
