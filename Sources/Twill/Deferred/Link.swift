/// A Deferred that is what comes of another one by a call: one link of a chain.
///
/// Its subclasses say what the call is; here is what it waits for, and when. First it waits for the Deferred that it was added to, then for
/// the one that its call returned, if that is what it did. It holds neither.
class Link<Input, Output>: Deferred<Output> {
    /// Makes the call, if it is one for such a result, lets go of it, and settles this; or returns what is to be waited for.
    func call(_ source: Deferred<Input>) throws -> Deferred<Output>? {
        preconditionFailure("a kind of link says what its call is")
    }

    final override func receive(from source: AnyDeferred) -> AnyDeferred? {
        if state == .adopting {
            if let source = source as? Deferred<Output> { take(over: source) }
            return self
        }
        // It may have been cancelled while it waited for itself.
        guard state == .waiting, let source = source as? Deferred<Input> else { return nil }
        return proceed(after: source)
    }

    /// Makes the call and takes what comes of it. Returns this one if that is there.
    private func proceed(after source: Deferred<Input>) -> AnyDeferred? {
        state = .running
        do {
            if let other = try call(source) { return adopt(other) }
        } catch {
            settle(.failure(error))
        }
        return self
    }

    final func take(over source: Deferred<Output>) {
        result = source.result
        state = .fired
    }

    private func adopt(_ other: Deferred<Output>) -> AnyDeferred? {
        if other === self {
            settle(.failure(DeferredError.waitsForItself))
            return self
        }
        other.wasObserved = true
        if other.hasFired {
            take(over: other)
            return self
        }
        state = .adopting
        other.append(self)
        return nil
    }

    /// What it waited for has gone.
    final override func cancelHere() {
        switch state {
        case .waiting:
            let source = Deferred<Input>(.failure(DeferredError.cancelled))
            source.wasObserved = true
            proceed(after: source)?.deliver()
        case .adopting:
            settle(.failure(DeferredError.cancelled))
            deliver()
        case .open, .running, .fired, .givenUp: return
        }
    }
}

/// A call for a value.
final class CallbackLink<Input, Output>: Link<Input, Output> {
    private var callback: ((Input) throws -> Output)?

    init(of source: Deferred<Input>, _ callback: @escaping (Input) throws -> Output, _ fileID: StaticString, _ line: UInt32) {
        self.callback = callback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(_ source: Deferred<Input>) throws -> Deferred<Output>? {
        let callback = callback
        self.callback = nil
        switch source.result {
        case .success(let value): if let callback { settle(.success(try callback(value))) }
        case .failure(let error): throw error
        case nil: return nil
        }
        return nil
    }
}

/// A call for a value that returns a Deferred.
final class WaitingCallbackLink<Input, Output>: Link<Input, Output> {
    private var callback: ((Input) throws -> Deferred<Output>)?

    init(of source: Deferred<Input>, _ callback: @escaping (Input) throws -> Deferred<Output>, _ fileID: StaticString, _ line: UInt32) {
        self.callback = callback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(_ source: Deferred<Input>) throws -> Deferred<Output>? {
        let callback = callback
        self.callback = nil
        switch source.result {
        case .success(let value): return try callback?(value)
        case .failure(let error): throw error
        case nil: return nil
        }
    }
}

/// A call for an error.
final class ErrbackLink<Value>: Link<Value, Value> {
    private var errback: ((any Error) throws -> Value)?

    init(of source: Deferred<Value>, _ errback: @escaping (any Error) throws -> Value, _ fileID: StaticString, _ line: UInt32) {
        self.errback = errback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(_ source: Deferred<Value>) throws -> Deferred<Value>? {
        let errback = errback
        self.errback = nil
        if let errback, case .failure(let error) = source.result {
            settle(.success(try errback(error)))
        } else {
            take(over: source)
        }
        return nil
    }
}

/// A call for whatever comes.
final class BothLink<Input, Output>: Link<Input, Output> {
    private var callback: ((Result<Input, any Error>) throws -> Output)?

    init(
        of source: Deferred<Input>, _ callback: @escaping (Result<Input, any Error>) throws -> Output, _ fileID: StaticString,
        _ line: UInt32
    ) {
        self.callback = callback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(_ source: Deferred<Input>) throws -> Deferred<Output>? {
        let callback = callback
        self.callback = nil
        if let callback, let result = source.result { settle(.success(try callback(result))) }
        return nil
    }
}

/// A call for whatever comes that returns a Deferred.
final class WaitingBothLink<Input, Output>: Link<Input, Output> {
    private var callback: ((Result<Input, any Error>) throws -> Deferred<Output>)?

    init(
        of source: Deferred<Input>, _ callback: @escaping (Result<Input, any Error>) throws -> Deferred<Output>, _ fileID: StaticString,
        _ line: UInt32
    ) {
        self.callback = callback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(_ source: Deferred<Input>) throws -> Deferred<Output>? {
        let callback = callback
        self.callback = nil
        guard let callback, let result = source.result else { return nil }
        return try callback(result)
    }
}
