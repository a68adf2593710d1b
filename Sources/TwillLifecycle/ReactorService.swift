public import Logging
public import ServiceLifecycle
public import Twill

/// A reactor as one of the services of a `ServiceGroup`: it runs on a thread of its own until the group shuts down.
///
/// ```swift
/// import ServiceLifecycle
///
/// let echo = ReactorService { reactor in
///     try reactor.listen("tcp:8007") { connection in
///         for try await line in connection.lines { try await connection.writeLine(line) }
///     }
/// }
/// try await ServiceGroup(services: [echo], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// # Contract
/// - Everything of the reactor happens on its own thread, as with ``LibeventReactor/run(logger:threadPool:installSignalHandlers:shutdownTimeout:_:)``.
///   Signals are the group's.
/// - A graceful shutdown stops the reactor: the handlers of its ports are cancelled and waited for, each port's for its `shutdownTimeout` at the most, the
///   other ports close, and connections end. `run` returns when nothing of it is left.
/// - Cancelling does the same, and `run` throws `CancellationError`.
/// - The set-up, the callbacks and the handlers belong to the service: `Task.isShuttingDownGracefully` tells them of a shutdown, and so does
///   `withGracefulShutdownHandler`.
/// - A reactor that stops by itself makes `run` return. What the group does then is its `successTerminationBehavior`.
///
/// Twisted: a `Service` of `twisted.application`.
public struct ReactorService: Service {
    private let logger: Logger
    private let threadPool: ThreadPool
    private let shutdownTimeout: Duration
    private let setUp: @Sendable (LibeventReactor) async throws -> Void

    /// Makes a service, which makes its reactor when it runs.
    ///
    /// - Parameters:
    ///   - logger: where errors of callbacks and the reactor's own events go.
    ///   - threadPool: the threads that `deferToThread` uses.
    ///   - shutdownTimeout: how long a shutdown keeps everything open for a set-up that has not ended.
    ///   - setUp: opens ports and starts tasks, on the reactor's thread. When it has returned, the reactor goes on; what it throws is thrown by
    ///     ``run()``. A shutdown cancels it.
    public init(
        logger: Logger = Logger(label: "twill"), threadPool: ThreadPool = ThreadPool(), shutdownTimeout: Duration = .seconds(10),
        setUp: @escaping @Sendable (LibeventReactor) async throws -> Void
    ) {
        self.logger = logger
        self.threadPool = threadPool
        self.shutdownTimeout = shutdownTimeout
        self.setUp = setUp
    }

    /// Runs the reactor until the group shuts down, or it is stopped.
    ///
    /// - Throws: what the set-up throws; `ReactorError` where the reactor could not be made, or its loop failed; `CancellationError`.
    public func run() async throws {
        let setUp = setUp
        try await LibeventReactor.run(
            logger: logger, threadPool: threadPool, installSignalHandlers: false, shutdownTimeout: shutdownTimeout
        ) { reactor in
            let handle = reactor.handle
            try await withGracefulShutdownHandler {
                try await setUp(reactor)
                try await reactor.waitUntilStopped()
            } onGracefulShutdown: {
                handle.stop()
            }
        }
    }
}
