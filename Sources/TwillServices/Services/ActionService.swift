import Logging
public import Twill

/// A service of closures, for what needs no type of its own.
///
/// ```swift
/// try services.add(ActionService(name: "table") { print("opened") } stop: { print("closed") })
/// try services.add(ActionService(start: { print("read") }, reload: { print("read again") }))
/// ```
///
/// Twisted has none.
public final class ActionService: Service {
    private let startCall: () throws -> Void
    private let stopCall: () throws -> Deferred<Void>?
    private let reloadCall: () throws -> Void

    /// Makes a service that calls the one when it starts, the other when it stops, and the third when it shall read its configuration anew.
    public convenience init(
        name: String? = nil, start: @escaping () throws -> Void, reload: @escaping () throws -> Void = {},
        stop: @escaping () throws -> Void = {}
    ) {
        self.init(
            name: name, start: start, reload: reload,
            stop: { () throws -> Deferred<Void>? in
                try stop()
                return nil
            })
    }

    /// The same with a stop that takes longer.
    @_disfavoredOverload
    public init(
        name: String? = nil, start: @escaping () throws -> Void, reload: @escaping () throws -> Void = {},
        stop: @escaping () throws -> Deferred<Void>?
    ) {
        startCall = start
        reloadCall = reload
        stopCall = stop
        super.init(name: name)
    }

    public override func startService() throws { try startCall() }

    public override func reloadService() throws { try reloadCall() }

    public override func stopService() throws -> Deferred<Void>? { try stopCall() }
}

/// A service that is a task on the reactor's thread, for code that waits.
///
/// ```swift
/// try services.add(TaskService(name: "feed") { reactor in
///     let connection = try await reactor.connect("tcp:feed.example.com:7000")
///     for try await line in connection.lines { print(line) }
/// })
/// ```
///
/// The task begins when the service starts. Stopping cancels it, and waits for its end. A task that ends by itself leaves the service running, and
/// does nothing more; what it throws is logged.
///
/// Twisted has none.
public final class TaskService: Service {
    private let body: @Sendable (any Reactor) async throws -> Void
    private var task: Deferred<Void>?
    private var ended: Deferred<Void>?

    /// Makes a service of a task.
    public init(name: String? = nil, _ body: @escaping @Sendable (any Reactor) async throws -> Void) {
        self.body = body
        super.init(name: name)
    }

    public override func startService() throws {
        let ended = Deferred<Void>()
        self.ended = ended
        let (reactor, body, name) = (reactor, body, logPrefix)
        let task = Deferred<Void>(on: reactor) {
            do {
                try await body(reactor)
            } catch is CancellationError {
                // It was stopped.
            } catch {
                reactor.logger.error("\(name) has ended: \(error)")
            }
            // A task that was cancelled goes on until it has tidied up, and that is its end: its own Deferred has fired long before.
            try ended.succeed(())
        }
        task.addErrback { _ in }
        self.task = task
    }

    public override func stopService() throws -> Deferred<Void>? {
        task.take()?.cancel()
        return ended.take()
    }
}
