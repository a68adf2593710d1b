import Logging
public import Twill

/// A client whose factory says what follows a failure or a loss: a ``/Twill/ReconnectingClientFactory`` for example.
///
/// ```swift
/// try services.add(TCPClient(host: "hub.example.com", port: 8007, factory: ReconnectingClientFactory { Greeting() }))
/// ```
///
/// It connects when it starts. Stopping ends what is under way, a wait of a ``/Twill/ReconnectingClientFactory`` included, and waits until the factory has been told. It
/// may be started again. Where a connection is to be kept up and others wait for it, ``ClientService`` is simpler.
///
/// Twisted: `StreamClientEndpointService`'s likes, `TCPClient`, `UNIXClient`; those wait for nothing, and a reconnecting factory goes on.
open class StreamClientService: Service {
    /// Where it connects to.
    public final let endpoint: any StreamClientEndpoint
    private final let factory: EndWatchingFactory
    private final var connector: Connector?

    /// Makes a service that connects with a factory.
    public init(_ endpoint: any StreamClientEndpoint, factory: ClientFactory, name: String? = nil) {
        self.endpoint = endpoint
        self.factory = EndWatchingFactory(wrapping: factory)
        super.init(name: name)
    }

    open override var logPrefix: String { name ?? "\(endpoint)" }

    /// Begins to connect. An override calls `super`.
    open override func startService() throws {
        factory.reconnecting?.resetDelay()
        connector = try endpoint.connect(factory, on: reactor)
    }

    /// Ends what is under way. An override calls `super`.
    open override func stopService() throws -> Deferred<Void>? {
        factory.reconnecting?.stopTrying()
        guard let connector = connector.take(), connector.state != .disconnected else { return nil }
        let ended = Deferred<Void>(canceller: { _ in })
        factory.whenEnded = ended
        connector.disconnect()
        return ended
    }
}

/// A TCP client; see ``StreamClientService``. Twisted: `TCPClient`.
public final class TCPClient: StreamClientService {
    /// Makes a service that connects as `connectTCP` does with the same values.
    public init(
        host: String, port: Int, factory: ClientFactory, timeout: Duration = .seconds(30), bindAddress: Address? = nil,
        options: TransportOptions = TransportOptions(), name: String? = nil
    ) {
        let target = TCPTarget(host: host, port: port, timeout: timeout, bindAddress: bindAddress, options: options)
        super.init(TCPClientEndpoint(target), factory: factory, name: name)
    }
}

/// Hands everything on, and tells when an attempt or a connection has ended with nothing behind it.
private final class EndWatchingFactory: WrappingFactory {
    var whenEnded: Deferred<Void>?

    /// The factory that would connect again, through whatever is around it.
    var reconnecting: ReconnectingClientFactory? {
        var factory = wrapped
        while let outer = factory as? WrappingFactory { factory = outer.wrapped }
        return factory as? ReconnectingClientFactory
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        try wrapped.protocolForConnection(from: address)
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        defer { noteEnd(of: connector) }
        try super.clientConnectionFailed(connector, reason)
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        defer { noteEnd(of: connector) }
        try super.clientConnectionLost(connector, reason)
    }

    private func noteEnd(of connector: Connector) {
        guard let ended = whenEnded.take() else { return }
        // A factory that connects again whatever happens is ended again: the service has stopped.
        if connector.state != .disconnected {
            whenEnded = ended
            connector.disconnect()
        } else {
            try? ended.succeed(())
        }
    }
}
