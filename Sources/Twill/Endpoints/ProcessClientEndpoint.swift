/// A program that is started for each connection: what the protocol writes is the program's standard input, and what the program says on its
/// standard output is what the protocol receives.
///
/// ```swift
/// let endpoint = ProcessClientEndpoint(ProcessCommand("ssh", arguments: ["host", "my-server"]))
/// endpoint.connect(Factory { Greeting() }, on: reactor).addCallback { handler in print("connected to \(handler.transport.peer)") }
/// ```
///
/// # Contract
/// - `connectionLost` comes when the program's output has ended and the program too: with ``ConnectionLost/done`` where that was with status 0, and
///   with ``ConnectionLost/lost`` and the ``ProcessEnd`` as ``ConnectionLost/underlying`` where not. Any other reason that the connection has
///   of its own, ``ConnectionLost/aborted`` for example, stays.
/// - Closing the connection closes the program's standard input, once everything written is sent; what it still says is read and dropped, so
///   that it can end in good order. If it is there after ``grace``, it is sent SIGTERM, and after as long again SIGKILL.
/// - Aborting the connection kills it at once.
/// - The end of the program's output is the end of what the peer says: a ``HalfCloseableProtocol`` may go on writing, any other protocol's
///   connection closes.
/// - A program that can't be started fails the attempt with ``ConnectError/failed``, and the ``ProcessError`` beneath.
/// - A reactor that stops closes the program's input and output, and leaves it running.
///
/// Twisted: `ProcessEndpoint`, which never kills.
public struct ProcessClientEndpoint: StreamClientEndpoint {
    /// What becomes of what the program says on its standard error.
    public enum Errors: String, Sendable, CaseIterable {
        /// Each line is logged, at the level `info`; lines beyond 16384 bytes come in pieces.
        case log
        /// It goes where this process's own goes.
        case inherit
        /// Nobody hears it.
        case drop
    }

    /// The program; its descriptors are this endpoint's to set.
    public var command: ProcessCommand

    /// How long a program may take to end after its connection has; 5 seconds unless set.
    public var grace: Duration

    /// What becomes of its standard error; logged unless set.
    public var errors: Errors

    /// An endpoint that starts a program.
    public init(_ command: ProcessCommand, grace: Duration = .seconds(5), errors: Errors = .log) {
        self.command = command
        self.grace = grace
        self.errors = errors
    }

    public func connect(_ factory: ClientFactory, on reactor: any Reactor) throws -> Connector {
        let name = description
        let connector = Connector(reactor: reactor, destination: name, factory: factory) { connector in
            let reactor = connector.reactor
            var atShutdown: SystemEventTrigger?
            let start = reactor.callLater(.zero) {
                atShutdown.map { _ = reactor.removeSystemEventTrigger($0) }
                self.start(for: connector)
            }
            atShutdown = reactor.addSystemEventTrigger(.during, .shutdown) {
                guard start.isActive else { return }
                start.cancelIfActive()
                connector.connectionFailed(.cancelled.to(name))
            }
            return {
                guard start.isActive else { return }
                start.cancelIfActive()
                atShutdown.map { _ = reactor.removeSystemEventTrigger($0) }
                reactor.callLater(.zero) { connector.connectionFailed(.cancelled.to(name)) }
            }
        }
        try connector.connect()
        return connector
    }

    private func start(for connector: Connector) {
        let connection = ProcessConnection(connector, grace: grace)
        do {
            try connection.start(command, errors: errors)
        } catch {
            connector.connectionFailed(.failed.to(connector.destination, because: error))
        }
    }

    public var description: String {
        var parts = ["process", command.executable] + command.arguments
        parts = [parts[0]] + parts.dropFirst().map(EndpointDescription.quote)
        if let folder = command.workingDirectory { parts.append("directory=\(EndpointDescription.quote(folder))") }
        if grace != .seconds(5) { parts.append("grace=\(grace.decimalSeconds)") }
        if errors != .log { parts.append("errors=\(errors.rawValue)") }
        return parts.joined(separator: ":")
    }
}
