/// A Deferred that is what comes of another one by a call: one link of a chain.
///
/// Its subclasses say what the call is; here is what it waits for, and when. First it waits for the Deferred that it was added to, then for
/// the one that its call returned, if that is what it did. It holds neither.
class Link<Input, Output>: Deferred<Output> {
    /// What a call comes to.
    enum Outcome {
        case now(Result<Output, any Error>)
        case later(Deferred<Output>)
    }

    /// Makes the call, if it is one for such a result, and lets go of it.
    func call(with input: Result<Input, any Error>) throws -> Outcome {
        preconditionFailure("a kind of link says what its call is")
    }

    final override func receive(from source: AnyDeferred) -> AnyDeferred? {
        if state == .adopting {
            if let result = (source as? Deferred<Output>)?.result { settle(result) }
            return self
        }
        guard let input = (source as? Deferred<Input>)?.result else { return nil }
        return proceed(with: input)
    }

    /// Makes the call and takes what comes of it. Returns this one if that is there.
    private func proceed(with input: Result<Input, any Error>) -> AnyDeferred? {
        state = .running
        do {
            switch try call(with: input) {
            case .now(let result): settle(result)
            case .later(let other): return adopt(other)
            }
        } catch {
            settle(.failure(error))
        }
        return self
    }

    private func adopt(_ other: Deferred<Output>) -> AnyDeferred? {
        if other === self {
            settle(.failure(DeferredError.waitsForItself))
            return self
        }
        other.wasObserved = true
        if let result = other.result {
            settle(result)
            return self
        }
        state = .adopting
        other.append(self)
        return nil
    }

    /// What it waited for has gone.
    final override func cancelHere() {
        let cancelled = Result<Never, any Error>.failure(DeferredError.cancelled)
        switch state {
        case .waiting: proceed(with: cancelled.map { $0 })?.deliver()
        case .adopting:
            settle(cancelled.map { $0 })
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

    override func call(with input: Result<Input, any Error>) throws -> Outcome {
        guard let callback = callback.take() else { throw DeferredError.alreadyFired }
        return .now(.success(try callback(input.get())))
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

    override func call(with input: Result<Input, any Error>) throws -> Outcome {
        guard let callback = callback.take() else { throw DeferredError.alreadyFired }
        return .later(try callback(input.get()))
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

    override func call(with input: Result<Value, any Error>) throws -> Outcome {
        guard let errback = errback.take(), case .failure(let error) = input else { return .now(input) }
        return .now(.success(try errback(error)))
    }
}

/// A call for whatever comes.
final class BothLink<Input, Output>: Link<Input, Output> {
    private var callback: ((Result<Input, any Error>) throws -> Outcome)?

    init(
        of source: Deferred<Input>, _ callback: @escaping (Result<Input, any Error>) throws -> Outcome, _ fileID: StaticString, _ line: UInt32
    ) {
        self.callback = callback
        super.init(linkOf: source, fileID, line)
        source.add(self)
    }

    override func call(with input: Result<Input, any Error>) throws -> Outcome {
        guard let callback = callback.take() else { throw DeferredError.alreadyFired }
        return try callback(input)
    }
}
