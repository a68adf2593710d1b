public import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension LibeventReactor {
    /// Makes a reactor, and runs it on a thread of its own for as long as a task needs it: for programs whose `main` is `async`.
    ///
    /// ```swift
    /// @main struct Server {
    ///     static func main() async throws {
    ///         try await LibeventReactor.run { reactor in
    ///             try reactor.listen("tcp:8007") { connection in
    ///                 for try await line in connection.lines { try await connection.writeLine(line) }
    ///             }
    ///             try await reactor.waitUntilStopped()
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Contract
    /// - The body is a task on the reactor's thread, which is none of those that Swift's tasks share. It, the reactor's callbacks and the handlers of
    ///   connections have the task-local values of whoever calls this.
    /// - When the body has returned or thrown, the reactor is stopped as by ``stop()``: its shutdown event fires, ports close, connections end. This
    ///   returns when nothing of the reactor is left.
    /// - A reactor that stops before, because of a signal or of ``stop()``, cancels the body, and waits for it before it closes anything: for
    ///   `shutdownTimeout` at the most. After that it closes everything, and goes on waiting for the body alone.
    /// - What the body makes of that is what this returns or throws. Only where it has nothing to return, and throws no more than the
    ///   `CancellationError` of a stop, this returns: a server that was stopped has not failed.
    /// - Cancelling the task that calls this cancels the body and stops the reactor.
    /// - ``crash()`` stops it, too: there is nobody to run it again.
    /// - Other tasks that the body has started on the reactor are cancelled when that closes everything, as with every stop.
    /// - Several of these may run at once in one process, each on its own thread.
    ///
    /// - Parameters:
    ///   - logger: where errors of callbacks and the reactor's own events go.
    ///   - threadPool: the threads that ``Reactor/deferToThread(_:)`` uses.
    ///   - installSignalHandlers: whether SIGINT and SIGTERM stop the reactor: see ``run(installSignalHandlers:)``.
    ///   - shutdownTimeout: how long a stopping reactor keeps everything open for a body that has not ended.
    ///   - body: what to do with the reactor; it begins when the reactor runs.
    /// - Throws: what the body throws; ``ReactorError`` where the reactor could not be made, or its loop failed, which cancels the body;
    ///   `CancellationError` where the task was cancelled before anything was made.
    ///
    /// Twisted: `twisted.internet.task.react`, which ends the process, too.
    public nonisolated(nonsending) static func run<Value: Sendable>(
        logger: Logger = Logger(label: "twill"), threadPool: ThreadPool = ThreadPool(), installSignalHandlers: Bool = true,
        shutdownTimeout: Duration = .seconds(10), _ body: @escaping @Sendable (LibeventReactor) async throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        let thread = try ownThread()
        defer { thread.finish() }
        let stay = Task(executorPreference: thread) {
            let reactor = try LibeventReactor(logger: logger, threadPool: threadPool)
            let guest = Guest(reactor, body)
            let task = guest.begin()
            let handle = reactor.handle
            return try await withTaskCancellationHandler {
                try reactor.run(for: guest, installSignalHandlers: installSignalHandlers, within: shutdownTimeout)
                return try guest.outcome(wasAskedToEnd: Task.isCancelled)
            } onCancel: {
                // A body that computes hears of it even where the loop can't.
                task.cancel()
                handle.stop()
            }
        }
        return try await withTaskCancellationHandler {
            try await stay.value
        } onCancel: {
            stay.cancel()
        }
    }

    /// Waits until the reactor is told to stop, by ``stop()`` or a signal; on the reactor's thread.
    ///
    /// It is what the body of ``run(logger:threadPool:installSignalHandlers:shutdownTimeout:_:)`` ends with in a server, and returns then, although
    /// the stop cancels that body.
    ///
    /// - Throws: `CancellationError` where the task was cancelled and the reactor was not told to stop.
    public nonisolated(nonsending) func waitUntilStopped() async throws {
        guard !isStopRequested else { return }
        let place = WaitingPlace()
        let trigger = addSystemEventTrigger(.before, .shutdown) { place.wake() }
        defer { removeSystemEventTrigger(trigger) }
        try await place.wait(on: handle)
    }

    private static func ownThread() throws(ReactorError) -> ReactorThread {
        do {
            return try ReactorThread()
        } catch {
            throw ReactorError.noEventBase(error)
        }
    }

    /// Runs the loop until a guest has ended and everything is closed.
    private func run<Value>(for guest: Guest<Value>, installSignalHandlers: Bool, within timeout: Duration) throws {
        var hasShutDown = false
        addSystemEventTrigger(waitingBefore: .shutdown) { [unowned self] in guest.end(on: self, within: timeout) }
        addSystemEventTrigger(.after, .shutdown) { hasShutDown = true }
        while !(hasShutDown && guest.hasEnded) {
            do {
                try run(installSignalHandlers: installSignalHandlers)
            } catch {
                runWithoutLoop(for: guest)
                throw error
            }
            // Left by `crash()`. A guest that is late, on the other hand, stops the loop itself.
            if !hasShutDown { stop() }
        }
    }

    /// Closes everything where the loop is broken, and sees to calls and tasks alone until a guest that has begun has ended.
    ///
    /// Nothing arrives any more, and no time passes; but whoever is told of an end, or is cancelled, comes to his own.
    private func runWithoutLoop<Value>(for guest: Guest<Value>) {
        guard guest.hasBegun else { return }
        jobs.enter()
        defer { jobs.leave() }
        guest.cancel()
        closeEverything()
        endCallback()
        while true {
            for call in handle.takeCalls() {
                guarded("a call from a thread") { try call.value(self) }
                endCallback()
            }
            hasWork = false
            if jobs.hasMore { endCallback() }
            let calls = soon
            soon = []
            for call in calls {
                call()
                endCallback()
            }
            guard calls.isEmpty, !hasWork else { continue }
            if guest.hasEnded { return }
            wakeUp.waitForRing()
        }
    }
}

/// The body of a run, on its reactor's thread.
private final class Guest<Value: Sendable> {
    private weak var reactor: LibeventReactor?
    private let body: @Sendable (LibeventReactor) async throws -> Value
    private var task: Task<Void, Never>?
    private var result: Result<Value, any Error>?
    private(set) var hasBegun = false
    /// Whether the reactor has cancelled it.
    private var wasStopped = false
    private let whenEnded = Deferred<Void>()

    init(_ reactor: LibeventReactor, _ body: @escaping @Sendable (LibeventReactor) async throws -> Value) {
        self.reactor = reactor
        self.body = body
    }

    var hasEnded: Bool { result != nil }

    /// Makes its task, which runs once the loop does.
    func begin() -> Task<Void, Never> {
        guard let handle = reactor?.handle else { preconditionFailure("a guest begins while its host is there") }
        let bound = ReactorBound(self)
        let task = Task(executorPreference: handle) { await bound.value.visit() }
        self.task = task
        return task
    }

    private nonisolated(nonsending) func visit() async {
        // Where the loop has never run, the reactor is going: it lets its tasks come to their ends.
        guard let reactor else { return }
        hasBegun = true
        do {
            result = .success(try await body(reactor))
        } catch {
            result = .failure(error)
        }
        if !whenEnded.hasFired { try? whenEnded.succeed(()) }
        reactor.stop()
    }

    func cancel() {
        wasStopped = true
        task?.cancel()
    }

    /// Cancels it, because the reactor stops; what is to be waited for before everything is closed.
    func end(on reactor: LibeventReactor, within timeout: Duration) -> Deferred<Void>? {
        guard !hasEnded else { return nil }
        cancel()
        let isOver = Deferred<Void>()
        let alarm = reactor.callLater(timeout) { [unowned reactor] in
            reactor.logger.warning("what ran on the reactor has not ended within \(timeout) of the stop: closing all it may wait for")
            try isOver.succeed(())
        }
        whenEnded.addCallback {
            guard !isOver.hasFired else { return }
            alarm.cancelIfActive()
            try isOver.succeed(())
        }
        return isOver
    }

    /// What it has returned or thrown.
    func outcome(wasAskedToEnd: Bool) throws -> Value {
        guard let result else { throw ReactorError.gone }
        // A body that has nothing to return has come to its end where the reactor has.
        if case .failure(is CancellationError) = result, wasStopped, !wasAskedToEnd, let nothing = () as? Value { return nothing }
        return try result.get()
    }
}

extension WakeUp {
    /// Waits until somebody rings, and silences it.
    fileprivate func waitForRing() {
        var watched = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        // The call fills a structure of this frame's own; where it is interrupted, it is made again by and by.
        _ = unsafe systemPoll(&watched, 1, -1)
        _ = silence()
    }
}
