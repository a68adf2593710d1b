import Logging

/// A port whose connections are served by tasks.
///
/// It belongs to its reactor's thread. The reactor keeps the port open; nothing else has to keep this object.
public final class ConnectionServer {
    /// The port.
    public let port: any ListeningPort
    private let tasks: ServedTasks

    init(port: any ListeningPort, tasks: ServedTasks) {
        self.port = port
        self.tasks = tasks
    }

    /// The address it listens on.
    public var address: Address { port.address }

    /// How many connections are being served.
    public var connectionCount: Int { tasks.count }

    /// Closes the port; the connections go on.
    public func stopListening() { port.stopListening() }

    /// Closes the port, cancels the tasks that serve its connections, and waits for them, so long at the most. Connections that are left then are
    /// aborted.
    public nonisolated(nonsending) func shutDown(within deadline: Duration = .seconds(10)) async {
        port.stopListening()
        await tasks.end(within: deadline)
    }
}

/// The tasks that serve the connections of one port.
package final class ServedTasks {
    // It has the port, whose factory has these.
    private unowned let reactor: any Reactor
    private let handler: @Sendable (Connection) async throws -> Void
    private var served: [ObjectIdentifier: (task: Task<Void, Never>, intake: ConnectionIntake)] = [:]
    private var whenAllEnded: [() -> Void] = []

    init(on reactor: any Reactor, _ handler: @escaping @Sendable (Connection) async throws -> Void) {
        self.reactor = reactor
        self.handler = handler
    }

    var count: Int { served.count }

    /// Serves a connection that was just made.
    func serve(_ intake: ConnectionIntake) {
        let id = ObjectIdentifier(intake)
        // All of these are opened on the reactor's thread, on which the task runs.
        let bound = ReactorBound((tasks: self, connection: Connection(intake)))
        let handler = handler
        // Nobody but this port can cancel the task, and what each call on the way to the handler takes of memory lasts as long as the connection:
        // so no cancellation handler is among them.
        let task = Task(executorPreference: reactor.handle) {
            let (tasks, connection) = bound.value
            let scope = TaskScope(on: connection.intake.handle)
            connection.intake.scope = scope
            do {
                try await handler(connection)
                connection.close()
            } catch {
                connection.handlerThrew(error)
            }
            scope.end()
            tasks.ended(id)
        }
        served[id] = (task, intake)
    }

    private func ended(_ id: ObjectIdentifier) {
        served[id] = nil
        guard served.isEmpty else { return }
        let calls = whenAllEnded
        whenAllEnded = []
        for call in calls { call() }
    }

    /// Cancels all tasks, and calls when the last has ended, or when the time is over and their connections were aborted.
    package func cancelAll(within deadline: Duration, then call: @escaping () -> Void) {
        guard !served.isEmpty else { return call() }
        var isDone = false
        let finish = {
            guard !isDone else { return }
            isDone = true
            call()
        }
        let alarm = reactor.callLater(deadline) { [weak self] in
            for entry in self?.served.values.map(\.intake) ?? [] { entry.transport.abortConnection() }
            finish()
        }
        whenAllEnded.append {
            alarm.cancelIfActive()
            finish()
        }
        for entry in served.values {
            // One that has not begun has no scope yet.
            entry.task.cancel()
            entry.intake.scope?.cancel()
        }
    }

    nonisolated(nonsending) func end(within deadline: Duration) async {
        await SuspendedTask.suspend { task in
            // It may be that nobody has to be waited for.
            cancelAll(within: deadline) { task.resume() }
        }
    }
}

extension Connection {
    /// Closes the connection for what its handler threw.
    func handlerThrew(_ error: any Error) {
        switch error {
        case let reason as ConnectionLost where reason == intake.reason || reason.isClean: transport.loseConnection()
        case is CancellationError: transport.loseConnection(because: .thrown(error))
        default: transport.callbackThrew(error, in: "handler")
        }
    }
}
