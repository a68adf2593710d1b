/// A factory around another one: it puts a protocol of its own, a policy, around each protocol that the other one makes.
///
/// ```swift
/// let limited = LimitConnectionsByPeer(wrapping: TimeoutFactory(wrapping: Factory { Echo() }, timeout: .seconds(60)))
/// try reactor.listenTCP(port: 8007, factory: limited)
/// ```
///
/// Any factory can be wrapped, a wrapping one too, and so policies are put together. For a policy of your own, subclass
/// ``ProtocolWrapper``, and override ``wrap(_:)`` to make it.
///
/// # Contract
/// - It starts and stops the factory inside, and hands on what a ``ClientFactory`` inside wants to hear of connecting.
/// - Where the factory inside returns nil or throws, the connection is refused; nothing is wrapped.
/// - What is outside sees the input first and the output last.
///
/// Twisted: `WrappingFactory`, where a nil from inside is wrapped too and leaves the connection open.
open class WrappingFactory: ClientFactory {
    /// The factory inside.
    public final let wrapped: Factory

    /// Puts a policy around a factory.
    public init(wrapping wrapped: Factory) {
        self.wrapped = wrapped
        super.init()
    }

    /// Makes the policy of one connection around its protocol; one that does nothing unless overridden.
    open func wrap(_ handler: Protocol) -> ProtocolWrapper {
        ProtocolWrapper(wrapping: handler)
    }

    /// What the factory inside is called: log lines name that one.
    open override var logPrefix: String { wrapped.logPrefix }

    /// Asks the factory inside for a protocol and wraps it.
    open override func buildProtocol(_ address: Address) throws -> Protocol? {
        try wrapped.protocolForConnection(from: address).map(wrap)
    }

    open override func startFactory() throws {
        try wrapped.doStart(logger: logger)
    }

    open override func stopFactory() throws {
        try wrapped.doStop(logger: logger)
    }

    open override func startedConnecting(_ connector: Connector) throws {
        try (wrapped as? ClientFactory)?.startedConnecting(connector)
    }

    open override func connectionMade(_ connector: Connector) throws {
        try (wrapped as? ClientFactory)?.connectionMade(connector)
    }

    open override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        try (wrapped as? ClientFactory)?.clientConnectionFailed(connector, reason)
    }

    open override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        try (wrapped as? ClientFactory)?.clientConnectionLost(connector, reason)
    }
}
