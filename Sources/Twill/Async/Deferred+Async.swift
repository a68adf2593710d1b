extension Deferred {
    /// Waits for the result; on the reactor's thread, on which the Deferred lives.
    ///
    /// Cancelling the task that waits cancels the Deferred.
    ///
    /// - Throws: the error that it fired with; `CancellationError`.
    ///
    /// Twisted: `await` of a Deferred in a coroutine.
    public nonisolated(nonsending) func value(on reactor: any Reactor) async throws -> Value {
        let place = WaitingPlace()
        var outcome: Result<Value, any Error>?
        addBoth { result in
            outcome = result
            place.wake()
        }
        if outcome == nil {
            do {
                try await place.wait(on: reactor.handle)
            } catch {
                cancel()
                throw error
            }
        }
        guard let outcome else { throw CancellationError() }
        return try outcome.get()
    }

    /// Makes one of a task that runs on the reactor's thread; it fires with what the task returns or throws, and cancelling it cancels the task.
    ///
    /// Twisted: `Deferred.fromCoroutine`, `ensureDeferred`.
    public convenience init(on reactor: any Reactor, _ body: @escaping () async throws -> Value) {
        // The body runs on the thread on which the Deferred lives, and so does what it makes.
        let bound = ReactorBound(body)
        var cancelTask: () -> Void = {}
        self.init(canceller: { _ in cancelTask() })
        let result = ReactorBound(self)
        let task = reactor.handle.startTask {
            do {
                let value = try await bound.value()
                try? result.value.succeed(value)
            } catch {
                try? result.value.fail(error)
            }
        }
        cancelTask = { task.cancel() }
    }
}
