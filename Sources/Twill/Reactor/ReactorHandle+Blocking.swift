import Dispatch
import Synchronization

extension ReactorHandle {
    /// Makes a call on the reactor's thread, and waits on this one for what it returns.
    ///
    /// ```swift
    /// import Foundation
    ///
    /// let handle = reactor.handle
    /// Thread.detachNewThread {
    ///     if let count = try? handle.blockingCallFromThread({ reactor in reactor.delayedCalls.count }) { print(count) }
    /// }
    /// ```
    ///
    /// A reactor that is not running answers when it runs; one that never does keeps this thread waiting until it goes.
    ///
    /// - Throws: what the call throws; ``BlockingCallError``.
    ///
    /// Twisted: `blockingCallFromThread`, which waits for ever on the reactor's own thread.
    @available(*, noasync, message: "it blocks the thread: make the call by callFromThread and await the answer")
    public func blockingCallFromThread<Value: Sendable>(_ call: sending @escaping (any Reactor) throws -> Value) throws -> Value {
        try waitForAnswer { reactor, promise in promise.keep(Result { try call(reactor) }) }
    }

    /// Makes a call on the reactor's thread, and waits on this one for the result of the Deferred that it returns.
    ///
    /// - Throws: what the call throws or the Deferred fails with; ``BlockingCallError``.
    @available(*, noasync, message: "it blocks the thread: make the call by callFromThread and await the answer")
    public func blockingCallFromThread<Value: Sendable>(
        _ call: sending @escaping (any Reactor) throws -> Deferred<Value>
    ) throws -> Value {
        try waitForAnswer { reactor, promise in
            do {
                try call(reactor).addBoth { promise.keep($0) }
            } catch {
                promise.keep(.failure(error))
            }
        }
    }

    private func waitForAnswer<Value: Sendable>(_ call: sending @escaping (any Reactor, Promise<Value>) -> Void) throws -> Value {
        guard !jobs.isOnThread else { throw BlockingCallError.onReactorThread }
        let answer = Answer<Value>()
        hand(in: ReactorBound(Question(call, Promise(answer))))
        return try answer.wait()
    }

    /// Hands in the question; from here on, nobody else holds its promise.
    private func hand<Value: Sendable>(in question: consuming ReactorBound<Question<Value>>) {
        let question = question
        callFromThread { question.value.ask($0) }
    }
}

/// Why a ``ReactorHandle`` gave no answer to a thread that waited for one.
public enum BlockingCallError: Error, Hashable, CustomStringConvertible, Sendable {
    /// The thread that would wait is the one that would answer.
    case onReactorThread
    /// The reactor went before it made the call.
    case reactorIsGone
    /// The Deferred that the call returned was dropped before it had fired, which is also what happens when the reactor goes.
    case neverFired

    public var description: String {
        switch self {
        case .onReactorThread: "this is the reactor's own thread, which can't wait for itself: make the call directly"
        case .reactorIsGone: "the reactor is gone: keep it until all who ask it have their answers"
        case .neverFired: "the Deferred was dropped before it had fired: whoever is to fire it must hold it"
        }
    }
}

/// Where a thread waits for an answer.
private final class Answer<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func give(_ answer: Result<Value, any Error>) {
        result.withLock { $0 = answer }
        isThere.signal()
    }

    func wait() throws -> Value {
        isThere.wait()
        guard let answer = result.withLock({ $0 }) else { throw BlockingCallError.neverFired }
        return try answer.get()
    }
}

/// What a thread wants to know, on its way to the reactor.
private final class Question<Value: Sendable> {
    private let call: (any Reactor, Promise<Value>) -> Void
    private let promise: Promise<Value>

    init(_ call: @escaping (any Reactor, Promise<Value>) -> Void, _ promise: Promise<Value>) {
        self.call = call
        self.promise = promise
    }

    func ask(_ reactor: any Reactor) {
        promise.wasAsked = true
        call(reactor, promise)
    }
}

/// The reactor's side of an answer: it gives one when it is kept, and one when it is dropped.
private final class Promise<Value: Sendable> {
    private var answer: Answer<Value>?
    var wasAsked = false

    init(_ answer: Answer<Value>) {
        self.answer = answer
    }

    deinit {
        answer?.give(.failure(wasAsked ? BlockingCallError.neverFired : BlockingCallError.reactorIsGone))
    }

    func keep(_ result: Result<Value, any Error>) {
        answer.take()?.give(result)
    }
}
