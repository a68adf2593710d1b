import Logging

extension Reactor {
    /// Starts a task on the reactor's thread; it runs once the loop does.
    ///
    /// ```swift
    /// reactor.task { reactor in
    ///     let connection = try await reactor.connect("tcp:localhost:8007")
    ///     try await connection.writeLine("hello")
    /// }
    /// ```
    ///
    /// What the task calls runs there, too, unless it belongs to an actor. Keep the result to cancel it or to wait for it. A reactor that stops
    /// cancels it when it closes connections and ports, and does not wait for it: what must be done before is done in a trigger of the shutdown
    /// event. Where the reactor goes before the task has begun, it fails with ``ReactorError/gone``.
    ///
    /// What a task without a result throws is logged as an error, too, because often nobody waits for it; its cancellation is not.
    ///
    /// Twisted: `ensureDeferred`.
    @discardableResult
    public func task<Value: Sendable>(
        _ body: @escaping @Sendable (any Reactor) async throws -> Value
    ) -> Task<Value, any Error> {
        // A task that never runs must not keep the reactor that it waits for.
        let bound = ReactorBound(WeakReactor(self))
        return handle.startTask {
            guard let reactor = bound.value.reactor else { throw ReactorError.gone }
            do {
                return try await body(reactor)
            } catch {
                if Value.self == Void.self, !(error is CancellationError) { reactor.logger.error("a task threw: \(error)") }
                throw error
            }
        }
    }

    /// Waits so long, on the reactor's time; on the reactor's thread.
    ///
    /// - Throws: `CancellationError`.
    ///
    /// Twisted: `deferLater`.
    public nonisolated(nonsending) func sleep(for duration: Duration) async throws {
        let place = WaitingPlace()
        let call = callLater(duration) { place.wake() }
        defer { call.cancelIfActive() }
        try await place.wait(on: handle, in: handle.currentScope)
    }

    /// Does something for so long at the most; on the reactor's thread.
    ///
    /// ```swift
    /// let line = try await reactor.withTimeout(.seconds(30)) { try await connection.lines.next() }
    /// ```
    ///
    /// When the time is over the body's task is cancelled, which closes a connection that it waits for, and is waited for.
    ///
    /// - Throws: ``TimeoutError`` where the time was over first; what the body throws.
    ///
    /// Twisted: `Deferred.addTimeout`.
    public nonisolated(nonsending) func withTimeout<Value>(
        _ duration: Duration, _ body: @escaping () async throws -> Value
    ) async throws -> Value {
        // The body runs on this reactor's thread, as does whoever waits here for it: nothing leaves the thread.
        let bound = ReactorBound(body)
        let task = handle.startTask { ReactorBound(try await bound.value()) }
        var isOver = false
        let alarm = callLater(duration) {
            isOver = true
            task.cancel()
        }
        defer { alarm.cancelIfActive() }
        do {
            return try await withTaskCancellationHandler {
                try await task.value.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            if isOver, error is CancellationError { throw TimeoutError(duration: duration) }
            throw error
        }
    }
}

private final class WeakReactor {
    weak let reactor: (any Reactor)?

    init(_ reactor: any Reactor) {
        self.reactor = reactor
    }
}

/// Something took longer than it was given. Twisted: `TimeoutError`.
public struct TimeoutError: Error, Hashable, Sendable, CustomStringConvertible {
    /// How long it was given.
    public let duration: Duration

    public var description: String { "it took longer than \(duration)" }
}
