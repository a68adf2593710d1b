public import Twill

/// A port whose connections are served by tasks; see `Reactor.listen`.
///
/// ```swift
/// try services.add(ConnectionService("tcp:8007") { connection in
///     for try await line in connection.lines { try await connection.writeLine(line) }
/// })
/// ```
///
/// A connection is busy unless its task waits for input. What is left when a drain or a stop is over has its connection aborted, which its task
/// hears of.
///
/// Twisted has none.
public final class ConnectionService: StreamServerEndpointService {
    /// How long stopping waits for tasks that go on when their connections have ended; they are cancelled.
    private static let tidyingTime = Duration.seconds(1)

    private let connections: TaskFactory

    /// Makes a service that serves each connection by a task of its own on the reactor's thread.
    ///
    /// - Throws: ``/Twill/EndpointError``.
    public convenience init(
        _ endpoint: String, name: String? = nil, handler: @escaping @Sendable (Connection) async throws -> Void
    ) throws(EndpointError) {
        self.init(try serverFromString(endpoint), name: name, handler: handler)
    }

    /// The same of an endpoint.
    public init(
        _ endpoint: any StreamServerEndpoint, name: String? = nil, handler: @escaping @Sendable (Connection) async throws -> Void
    ) {
        connections = TaskFactory(handler)
        super.init(endpoint, factory: connections, name: name)
    }

    public override func privilegedStartService() throws {
        connections.use(reactor)
        try super.privilegedStartService()
    }

    public override func stopService() throws -> Deferred<Void>? {
        try (super.stopService() ?? .succeed(())).addCallback { [connections] () -> Deferred<Void> in
            connections.end(within: Self.tidyingTime)
        }
    }
}

/// Makes connections for tasks on the reactor that it is told to use.
private final class TaskFactory: Factory {
    private let handler: @Sendable (Connection) async throws -> Void
    private var current: (factory: Factory, tasks: ServedTasks)?

    init(_ handler: @escaping @Sendable (Connection) async throws -> Void) {
        self.handler = handler
        super.init()
    }

    override var logPrefix: String { "Connection" }

    func use(_ reactor: any Reactor) {
        current = reactor.connectionFactory(handler: handler)
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        try current?.factory.buildProtocol(address)
    }

    /// Cancels the tasks that there are, and fires when they have ended or the time is over.
    func end(within limit: Duration) -> Deferred<Void> {
        let ended = Deferred<Void>(canceller: { _ in })
        current?.tasks.cancelAll(within: limit) { try? ended.succeed(()) }
        return ended
    }
}
