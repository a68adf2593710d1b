/// Where a client connects to, told apart from what it says there.
///
/// ```swift
/// let endpoint = try clientFromString("tcp:example.com:7")
/// endpoint.connectProtocol(Greeting(), on: reactor).addCallback { greeting in greeting.sendLine("how are you?") }
/// ```
///
/// Its description is what ``clientFromString(_:)`` reads.
///
/// Twisted: `IStreamClientEndpoint`.
public protocol StreamClientEndpoint: CustomStringConvertible, Sendable {
    /// Begins to connect; what happens is told to the factory, which may connect again by the connector.
    ///
    /// - Throws: what `startFactory` threw.
    @discardableResult
    func connect(_ factory: ClientFactory, on reactor: any Reactor) throws -> Connector
}

extension StreamClientEndpoint {
    /// Connects once; the protocol comes when its `connectionMade` has returned.
    ///
    /// - Returns: fails with a ``ConnectError``, with what the factory threw, or with ``NoProtocol`` where the factory refused.
    ///
    /// Twisted: `IStreamClientEndpoint.connect`.
    public func connect(_ factory: Factory, on reactor: any Reactor) -> Deferred<Protocol> {
        let outcome = Deferred<Protocol>()
        let once = OnceFactory(factory, outcome)
        do {
            try connect(once, on: reactor)
        } catch {
            once.finish(.failure(error), on: reactor)
        }
        return outcome
    }

    /// Connects a protocol that is there already; it comes back when its `connectionMade` has returned. Twisted: `connectProtocol`.
    public func connectProtocol<Handler: Protocol>(_ handler: Handler, on reactor: any Reactor) -> Deferred<Handler> {
        var only: Handler? = handler
        let factory = Factory { _ in
            defer { only = nil }
            return only
        }
        return connect(factory, on: reactor).addCallback { _ in handler }
    }
}

/// The factory refused the connection that was made. Twisted: `NoProtocol`.
public struct NoProtocol: Error, CustomStringConvertible {
    package init() {}

    public var description: String { "the connection was made, and the factory refused it: buildProtocol returned nil" }
}

/// Makes one protocol with another factory, and tells what came of it.
private final class OnceFactory: ClientFactory {
    private let wrapped: Factory
    /// Nil once it was told: it holds the protocol, which may hold this factory.
    private var outcome: Deferred<Protocol>?
    private var made: Protocol?

    init(_ wrapped: Factory, _ outcome: Deferred<Protocol>) {
        self.wrapped = wrapped
        self.outcome = outcome
        super.init()
    }

    override var logPrefix: String { wrapped.logPrefix }

    override func startFactory() throws { try wrapped.doStart(logger: logger) }

    override func stopFactory() throws { try wrapped.doStop(logger: logger) }

    override func startedConnecting(_ connector: Connector) throws {
        try (wrapped as? ClientFactory)?.startedConnecting(connector)
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        made = try wrapped.protocolForConnection(from: address)
        return made
    }

    override func connectionMade(_ connector: Connector) throws {
        finish(made.map(Result.success) ?? .failure(NoProtocol()), on: connector.reactor)
        made = nil
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        try (wrapped as? ClientFactory)?.clientConnectionFailed(connector, reason)
        // What buildProtocol threw says more than that it threw.
        let error = reason == .failed ? reason.underlying.flatMap { $0 is SystemError ? nil : $0 } : nil
        finish(.failure(error ?? reason), on: connector.reactor)
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        try (wrapped as? ClientFactory)?.clientConnectionLost(connector, reason)
        finish(.failure(NoProtocol()), on: connector.reactor)
    }

    /// Tells, once and on a later turn, so that whoever asked has hung his callbacks on the result.
    func finish(_ result: Result<Protocol, any Error>, on reactor: any Reactor) {
        guard let outcome else { return }
        self.outcome = nil
        made = nil
        reactor.callLater(.zero) { try outcome.fire(result) }
    }
}

/// A TCP port of a host, whose addresses are raced. Twisted: `HostnameEndpoint`, `TCP4ClientEndpoint`, `TCP6ClientEndpoint`.
public struct TCPClientEndpoint: StreamClientEndpoint {
    /// Where and how it connects.
    public var target: TCPTarget

    /// An endpoint that connects so.
    public init(_ target: TCPTarget) {
        self.target = target
    }

    public func connect(_ factory: ClientFactory, on reactor: any Reactor) throws -> Connector {
        try reactor.connectTCP(to: target, factory: factory)
    }

    public var description: String {
        var text = "tcp:\(EndpointDescription.host(target.host)):\(target.port)"
        if target.timeout != TCPTarget(host: "", port: 0).timeout { text += ":timeout=\(target.timeout.decimalSeconds)" }
        if let address = target.bindAddress { text += ":bindAddress=\(EndpointDescription.host(address.host))" }
        return text
    }
}

/// A UNIX socket. Twisted: `UNIXClientEndpoint`.
public struct UNIXClientEndpoint: StreamClientEndpoint {
    /// Where and how it connects.
    public var target: UNIXTarget

    /// An endpoint that connects so.
    public init(_ target: UNIXTarget) {
        self.target = target
    }

    public func connect(_ factory: ClientFactory, on reactor: any Reactor) throws -> Connector {
        try reactor.connectUNIX(to: target, factory: factory)
    }

    public var description: String {
        var text = "unix:\(EndpointDescription.quote(target.path))"
        if target.timeout != UNIXTarget(path: "").timeout { text += ":timeout=\(target.timeout.decimalSeconds)" }
        return text
    }
}
