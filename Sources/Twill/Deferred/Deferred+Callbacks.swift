// Hanging calls on a Deferred. Each returns a link, and comes in two forms: for a closure that returns a value, and for one that returns a
// Deferred, which is waited for.
extension Deferred {
    /// Calls the closure with the value; an error passes it by. Twisted: `addCallback`.
    @discardableResult
    public final func addCallback<Next>(
        _ callback: @escaping (Value) throws -> Next, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Next> {
        CallbackLink(of: self, callback, fileID, line)
    }

    /// Calls the closure with the value and waits for the `Deferred` that it returns.
    @discardableResult
    public final func addCallback<Next>(
        _ callback: @escaping (Value) throws -> Deferred<Next>, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Next> {
        WaitingCallbackLink(of: self, callback, fileID, line)
    }

    /// Calls the closure with the error, to make a value of it or throw another; a value passes it by. Twisted: `addErrback`.
    @discardableResult
    public final func addErrback(
        _ errback: @escaping (any Error) throws -> Value, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        ErrbackLink(of: self, errback, fileID, line)
    }

    /// Calls the closure with the error and waits for the `Deferred` that it returns; a value passes it by.
    // A closure that only throws fits this one and the other.
    @_disfavoredOverload
    @discardableResult
    public final func addErrback(
        _ errback: @escaping (any Error) throws -> Deferred<Value>, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Value> {
        WaitingBothLink<Value, Value>(
            of: self,
            { result in
                guard case .failure(let error) = result else { return Deferred(result) }
                return try errback(error)
            }, fileID, line)
    }

    /// Calls the closure with whatever comes. Twisted: `addBoth`.
    @discardableResult
    public final func addBoth<Next>(
        _ callback: @escaping (Result<Value, any Error>) throws -> Next, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Next> {
        BothLink(of: self, callback, fileID, line)
    }

    /// Calls the closure with whatever comes and waits for the `Deferred` that it returns.
    @discardableResult
    public final func addBoth<Next>(
        _ callback: @escaping (Result<Value, any Error>) throws -> Deferred<Next>, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Next> {
        WaitingBothLink(of: self, callback, fileID, line)
    }

    /// Calls one closure with the value, or the other with the error. What the first one throws does not reach the second.
    /// Twisted: `addCallbacks`.
    @discardableResult
    public final func addCallbacks<Next>(
        _ callback: @escaping (Value) throws -> Next, _ errback: @escaping (any Error) throws -> Next, fileID: StaticString = #fileID,
        line: UInt32 = #line
    ) -> Deferred<Next> {
        addBoth({ try $0.fold(callback, errback) }, fileID: fileID, line: line)
    }

    /// Calls one closure with the value, or the other with the error, and waits for the `Deferred` that it returns.
    @discardableResult
    public final func addCallbacks<Next>(
        _ callback: @escaping (Value) throws -> Deferred<Next>, _ errback: @escaping (any Error) throws -> Deferred<Next>,
        fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<Next> {
        addBoth({ result -> Deferred<Next> in try result.fold(callback, errback) }, fileID: fileID, line: line)
    }

    /// Fires another one with the result of this one.
    ///
    /// The other one is nobody's link: cancelling it does not reach this one, which is what several parties need that share one result
    /// and may each give it up. Where the other has fired already, a value goes nowhere and an error is logged.
    ///
    /// Twisted: `chainDeferred`.
    public final func chainDeferred(_ other: Deferred<Value>) {
        wasObserved = true
        tap { source, result in
            do {
                return try other.accept(result) ? other : nil
            } catch {
                if case .failure(let error) = result { UnhandledErrors.log(error, of: source) }
                return nil
            }
        }
    }
}

extension Result where Failure == any Error {
    /// Calls one of the closures, and returns what it returns.
    fileprivate func fold<Outcome>(
        _ success: (Success) throws -> Outcome, _ failure: (any Error) throws -> Outcome
    ) throws -> Outcome {
        switch self {
        case .success(let value): try success(value)
        case .failure(let error): try failure(error)
        }
    }
}
