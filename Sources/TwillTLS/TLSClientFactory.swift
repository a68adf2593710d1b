import Logging
public import Twill

/// Lets the connections of a factory speak TLS, as a client.
///
/// ```swift
/// let factory = TLSClientFactory(wrapping: ClientFactory { Greeting() }, context: try TLSClientContext(), serverName: "example.com")
/// try reactor.connectTCP(host: "example.com", port: 443, factory: factory)
/// ```
///
/// # Contract
/// - `connectionMade` of the protocol and of the factory come after the handshake: the server is who it should be.
/// - A handshake that fails is a failed attempt to connect: `clientConnectionFailed` with a ``TLSError`` beneath. The protocol was never connected, and
///   hears nothing.
/// - A handshake has ``TLSClientOptions/handshakeTimeout`` in all, besides the time that connecting took.
///
/// Twisted: `TLSMemoryBIOFactory`, `wrapClientTLS`.
public final class TLSClientFactory: WrappingFactory {
    /// What its connections have in common.
    public let context: TLSClientContext
    /// Whom the server's certificate must name: a host, or an address in numbers.
    public let serverName: String

    /// The connection that was built last, until its connector is known.
    private var fresh: TLSClientRole?
    private var roles: [ObjectIdentifier: TLSClientRole] = [:]

    /// Lets the connections of a factory speak TLS with servers of a name.
    ///
    /// Where that can be the name of nobody, as an empty one, every attempt fails with ``TLSError/wrongHost``.
    public init(wrapping wrapped: Factory, context: TLSClientContext, serverName: String) {
        self.context = context
        self.serverName = serverName
        super.init(wrapping: wrapped)
    }

    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        fresh = nil
        guard let made = try wrapped.protocolForConnection(from: address) else { return nil }
        let role = TLSClientRole(context)
        fresh = role
        return try TLSClientRole.protocolFor(made, context: context, serverName: serverName, role: role)
    }

    public override func connectionMade(_ connector: Connector) throws {
        guard let role = fresh else { return try super.connectionMade(connector) }
        fresh = nil
        roles[ObjectIdentifier(connector)] = role
        // It is made when the handshake is over.
        role.whenMade = { [unowned self, weak connector] layer in
            guard let connector else { return }
            connector.use(layer)
            do {
                try wrappedConnectionMade(connector)
            } catch {
                connector.reactor.logger.error(
                    "\(logPrefix).connectionMade threw: \(error)", metadata: ["destination": "\(connector.destination)"])
            }
        }
    }

    private func wrappedConnectionMade(_ connector: Connector) throws {
        try super.connectionMade(connector)
    }

    public override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        let role = roles.removeValue(forKey: ObjectIdentifier(connector))
        role?.whenMade = nil
        guard let error = role?.error else { return try super.clientConnectionLost(connector, reason) }
        let kind: ConnectError = error == .timedOut ? .timedOut : error == .cancelled ? .cancelled : .failed
        try super.clientConnectionFailed(connector, kind.to(connector.destination, because: error))
    }
}

/// The client's part in one handshake.
final class TLSClientRole: TLSRole {
    private let pins: Set<TLSFingerprint>
    /// Called when the protocol is connected.
    var whenMade: ((TLSTransport) -> Void)?
    /// Called with what came of the handshake.
    var whenEnded: ((TLSError?) -> Void)?
    /// Why the handshake has failed.
    private(set) var error: TLSError?

    init(_ context: TLSClientContext) {
        pins = context.options.pins
    }

    static func protocolFor(
        _ handler: Protocol, context: TLSClientContext, serverName: String, role: TLSClientRole
    ) throws(TLSError) -> TLSProtocol {
        let server = try TLSServerName(serverName)
        return TLSProtocol(wrapping: handler, role: role, handshakeTimeout: context.options.handshakeTimeout) { workspace in
            try TLSEngine(context.context, server: server, isClient: true, workspace: workspace)
        }
    }

    var isClient: Bool { true }

    func mayBegin(_ connection: TLSProtocol) -> Bool {
        true
    }

    func refusal(of connection: TLSTransport) -> TLSError? {
        guard !pins.isEmpty else { return nil }
        guard let certificate = connection.engine.peerChain.first else {
            return TLSError(.pinMismatch, "the server has shown no certificate, and one is pinned")
        }
        if pins.contains(certificate.fingerprint) || pins.contains(certificate.keyFingerprint) { return nil }
        return TLSError(
            .pinMismatch,
            "the certificate of \"\(certificate.subject)\" is none of those that are pinned: its key's fingerprint is \(certificate.keyFingerprint)"
        )
    }

    func handshakeEnded(_ error: TLSError?) {
        self.error = error
        whenEnded?(error)
        whenEnded = nil
    }

    func connectionMade(_ layer: TLSTransport) {
        whenMade?(layer)
        whenMade = nil
    }
}
