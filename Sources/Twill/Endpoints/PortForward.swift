import Logging

/// Forwards each connection of a port to another place: a proxy that does not look into what it carries.
///
/// ```swift
/// try reactor.listenTCP(port: 8000, factory: PortForwardFactory(host: "db.example.com", port: 5432))
/// try reactor.listenTCP(port: 8001, factory: PortForwardFactory(to: clientFromString("unix:/run/db")))
/// ```
///
/// To refuse some peers, subclass it: return nil from ``buildProtocol(_:)`` for those, and `super`'s for the others.
///
/// # Contract
/// - Each accepted connection makes one of its own to the target. Nothing is read from it until that one is connected.
/// - Each side is read only as fast as the other one takes it, so both together hold bounded memory, whatever the speeds.
/// - When one peer says that it will send no more, the other one is told so after the last byte, and may still answer.
/// - When one side ends in good order, the other one is closed after its last byte was sent. When one breaks, the other one is reset: its peer
///   must not take a part for the whole. A reactor that stops closes both.
/// - Where the target can't be reached, the accepted connection is closed, and the reactor's logger gets a warning with both addresses.
/// - Not guaranteed: an end. Two peers that say nothing and don't close stay connected; ``TransportOptions/keepAlive`` finds those that vanished.
///
/// Twisted: `portforward.ProxyFactory`, which closes both directions with the first, makes a clean end of a reset, goes on connecting for a
/// peer that has gone, and says nothing of a target that can't be reached.
open class PortForwardFactory: Factory {
    /// Where the connections are forwarded to.
    public final let target: any StreamClientEndpoint

    /// Forwards to a target.
    public init(to target: any StreamClientEndpoint) {
        self.target = target
        super.init()
    }

    /// Forwards to a host and port.
    ///
    /// - Parameters:
    ///   - host: a literal address, or a name, which is resolved for each connection.
    ///   - port: from 1 to 65535. Another number fails each attempt.
    ///   - timeout: how long connecting to the target may take, the look-up included.
    ///   - bindAddress: the local address to connect from; nil leaves it to the system.
    ///   - options: what the connection to the target gets.
    public convenience init(
        host: String, port: Int, timeout: Duration = .seconds(30), bindAddress: Address? = nil,
        options: TransportOptions = TransportOptions()
    ) {
        self.init(to: TCPClientEndpoint(TCPTarget(host: host, port: port, timeout: timeout, bindAddress: bindAddress, options: options)))
    }

    /// The protocol that forwards one connection; an override returns it, or nil to refuse the peer.
    open override func buildProtocol(_ address: Address) throws -> Protocol? {
        IncomingSide(target)
    }
}

/// One of the two connections of a forwarding: it sends what the other one receives, and ends as the other one ends.
///
/// The two hold each other from the moment at which both are connected until one of them is lost. Twisted: `portforward.Proxy`.
class ForwardingSide: Protocol, HalfCloseableProtocol {
    final fileprivate(set) var other: ForwardingSide?
    /// Whether the peer has said that it will send no more.
    fileprivate final var inputHasEnded = false

    override final func dataReceived(_ data: Span<UInt8>) {
        other?.transport.write(data)
    }

    final func readConnectionLost() {
        inputHasEnded = true
        other?.endOutput()
    }

    final func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) {
        guard let other else { return }
        self.other = nil
        other.other = nil
        // A closing connection would wait for it.
        other.transport.unregisterProducer()
        if reason.isClean || reason == .reactorStopped {
            other.transport.loseConnection()
        } else {
            other.transport.abortConnection()
        }
    }

    /// Nothing more will come from the other side: says so to the peer, after what came before.
    fileprivate final func endOutput() {
        transport.unregisterProducer()
        transport.loseWriteConnection()
    }
}

/// The accepted connection: it asks for the other one, and waits for it. Twisted: `portforward.ProxyServer`.
private final class IncomingSide: ForwardingSide {
    private let target: any StreamClientEndpoint
    /// Gives up the attempt, or the connection, when this side ends.
    private var connector: Connector?

    init(_ target: any StreamClientEndpoint) {
        self.target = target
        super.init()
    }

    override func connectionMade() throws {
        transport.pauseProducing()
        connector = try target.connect(OnwardFactory(for: self), on: transport.reactor)
    }

    override func connectionLost(_ reason: ConnectionLost) {
        connector?.disconnect()
        connector = nil
        super.connectionLost(reason)
    }

    func join(_ onward: ForwardingSide) throws {
        other = onward
        onward.other = self
        try transport.registerProducer(onward.transport, streaming: true)
        try onward.transport.registerProducer(transport, streaming: true)
        if inputHasEnded {
            onward.endOutput()
        } else {
            transport.resumeProducing()
        }
    }

    func connectingFailed(_ reason: ConnectError) {
        // An attempt is cancelled where this side has ended, or the reactor stops.
        guard reason != .cancelled else { return }
        transport.reactor.logger.warning("Couldn't forward \(transport.peer): \(reason)")
        transport.loseConnection()
    }
}

/// The connection to the target. Twisted: `portforward.ProxyClient`.
private final class OnwardSide: ForwardingSide {
    private let incoming: IncomingSide

    init(_ incoming: IncomingSide) {
        self.incoming = incoming
        super.init()
    }

    override func connectionMade() throws {
        try incoming.join(self)
    }
}

/// Makes one connection to the target. Twisted: `portforward.ProxyClientFactory`.
private final class OnwardFactory: ClientFactory {
    private let incoming: IncomingSide

    init(for incoming: IncomingSide) {
        self.incoming = incoming
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        OnwardSide(incoming)
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        incoming.connectingFailed(reason)
    }
}
