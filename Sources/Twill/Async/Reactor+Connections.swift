extension Reactor {
    /// Listens, and serves each connection by a task of its own on the reactor's thread.
    ///
    /// ```swift
    /// try reactor.listen("tcp:8007") { connection in
    ///     for try await line in connection.lines { try await connection.writeLine(line) }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - endpoint: where to listen: see <doc:Endpoints>.
    ///   - shutdownTimeout: how long a stopping reactor waits for the tasks, which it cancels.
    ///   - handler: serves one connection; see ``Connection`` for what follows when it returns or throws.
    /// - Throws: ``EndpointError``; ``ListenError``.
    @discardableResult
    public func listen(
        _ endpoint: String, shutdownTimeout: Duration = .seconds(10), handler: @escaping @Sendable (Connection) async throws -> Void
    ) throws -> ConnectionServer {
        try listen(serverFromString(endpoint), shutdownTimeout: shutdownTimeout, handler: handler)
    }

    /// Listens on an endpoint, and serves each connection by a task of its own on the reactor's thread.
    @discardableResult
    public func listen(
        _ endpoint: any StreamServerEndpoint, shutdownTimeout: Duration = .seconds(10),
        handler: @escaping @Sendable (Connection) async throws -> Void
    ) throws -> ConnectionServer {
        let (factory, tasks) = connectionFactory(handler: handler)
        let port = try endpoint.listen(factory, on: self)
        addSystemEventTrigger(waitingBefore: .shutdown) { [weak port] in
            // Nobody new comes while the others are waited for.
            port?.stopListening()
            let ended = Deferred<Void>()
            tasks.cancelAll(within: shutdownTimeout) { try? ended.succeed(()) }
            return ended
        }
        return ConnectionServer(port: port, tasks: tasks)
    }

    /// A factory whose connections are served by tasks on this reactor's thread, and these tasks.
    package func connectionFactory(
        handler: @escaping @Sendable (Connection) async throws -> Void
    ) -> (factory: Factory, tasks: ServedTasks) {
        let tasks = ServedTasks(on: self, handler)
        let handle = handle
        return (Factory { ConnectionIntake(handle) { tasks.serve($0) } }, tasks)
    }

    /// Connects, and gives the connection when it is made; on the reactor's thread.
    ///
    /// The connection closes when nobody holds it any more, after its output was sent.
    ///
    /// - Parameter endpoint: where to connect to: see <doc:Endpoints>.
    /// - Throws: ``EndpointError``; ``ConnectError``; `CancellationError`, which cancels the attempt.
    public nonisolated(nonsending) func connect(_ endpoint: String) async throws -> Connection {
        try await connect(clientFromString(endpoint))
    }

    /// Connects to an endpoint, and gives the connection when it is made; on the reactor's thread.
    public nonisolated(nonsending) func connect(_ endpoint: any StreamClientEndpoint) async throws -> Connection {
        let attempt = ConnectionAttempt(handle)
        let connector = try endpoint.connect(attempt, on: self)
        do {
            try await attempt.place.wait(on: handle, in: handle.currentScope)
        } catch {
            connector.disconnect()
            throw error
        }
        return try attempt.outcome()
    }
}

/// One attempt to make a connection for a task.
private final class ConnectionAttempt: ClientFactory {
    let place = WaitingPlace()
    private let handle: ReactorHandle
    private var connection: Connection?
    private var failure: ConnectError?

    init(_ handle: ReactorHandle) {
        self.handle = handle
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        ConnectionIntake(handle) { [weak self] in self?.connection = Connection($0) }
    }

    override func connectionMade(_ connector: Connector) { place.wake() }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        failure = reason
        place.wake()
    }

    /// The connection, which is not kept here: it closes when whoever asked for it lets it go.
    func outcome() throws -> Connection {
        if let connection {
            self.connection = nil
            connection.intake.scope = connection.intake.handle.currentScope
            return connection
        }
        throw failure ?? .cancelled
    }
}
