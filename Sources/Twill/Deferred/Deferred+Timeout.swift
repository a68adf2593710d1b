extension Deferred {
    /// Cancels after a time what has no result by then: the link that is returned fails with ``DeferredError/timedOut(_:)``.
    ///
    /// ```swift
    /// lookUp("example.com").addTimeout(.seconds(5), on: reactor).addErrback { error in
    ///     print(error)                  // no result came within 5.0 seconds, so the Deferred was cancelled
    ///     throw error
    /// }
    /// ```
    ///
    /// It is ``AnyDeferred/cancel()`` that is called, with all that it says; so a canceller may still make a value of it, which passes. Only an
    /// error ``DeferredError/cancelled`` is translated, and only in the link that is returned: others of the same Deferred see `cancelled`. It comes
    /// in time even where what is waited for was dropped.
    ///
    /// Twisted: `addTimeout`.
    public final func addTimeout(
        _ timeout: Duration, on reactor: any Reactor, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        let state = TimeoutState()
        let link = addBoth(
            { (result: Result<Value, any Error>) throws -> Value in
                state.timer?.cancelIfActive()
                state.isOver = true
                if state.hasPassed, case .failure(let error) = result, error as? DeferredError == .cancelled {
                    throw DeferredError.timedOut(timeout)
                }
                return try result.get()
            }, fileID: fileID, line: line)
        if !state.isOver {
            state.timer = reactor.callLater(timeout) {
                state.hasPassed = true
                link.cancel()
            }
        }
        return link
    }
}

/// What the timer and the link have to tell each other.
private final class TimeoutState {
    var timer: DelayedCall?
    /// Whether the time has passed.
    var hasPassed = false
    /// Whether the result has come.
    var isOver = false
}
