import Twill

/// What stands between a connection and the protocol that knows nothing of TLS: it hands every event to the ``TLSTransport``.
///
/// It hears of the end of one half whatever the protocol inside does: only the peer's end by TLS counts for that one.
final class TLSProtocol: ProtocolWrapper, HalfCloseableProtocol {
    private let role: any TLSRole
    private let makeEngine: (TLSWorkspace) throws -> TLSEngine
    private let handshakeTimeout: Duration
    private var heldLayer = HeldLayer()

    init(
        wrapping wrapped: Protocol, role: any TLSRole, handshakeTimeout: Duration, makeEngine: @escaping (TLSWorkspace) throws -> TLSEngine
    ) {
        self.role = role
        self.handshakeTimeout = handshakeTimeout
        self.makeEngine = makeEngine
        super.init(wrapping: wrapped)
    }

    deinit {
        heldLayer.release()
    }

    var layer: TLSTransport? { heldLayer.layer }

    override var halfCloseable: (any HalfCloseableProtocol)? { self }

    // Descriptors come with bytes that are not the protocol's.
    override var descriptorReceiver: (any DescriptorReceiver)? { nil }

    override func connectionMade() throws {
        try makeLayer(over: transport, isMade: false)
        begin(unread: [])
    }

    /// Puts the layer over a transport.
    @discardableResult
    func makeLayer(over transport: Transport, isMade: Bool) throws -> TLSTransport {
        let workspace = TLSWorkspace.of(transport.reactor)
        let layer = TLSTransport(
            over: transport, role: role, engine: try makeEngine(workspace), workspace: workspace, shell: self, isMade: isMade)
        heldLayer.hold(layer)
        return layer
    }

    /// Begins the handshake, or waits until it may begin; its time runs in either case.
    func begin(unread: [UInt8]) {
        if !role.mayBegin(self) { layer?.holdsReading = true }
        layer?.begin(within: handshakeTimeout, unread: unread)
    }

    /// Lets a handshake begin that had to wait.
    func goOn() {
        layer?.holdsReading = false
    }

    override func dataReceived(_ data: Span<UInt8>) {
        heldLayer.call { $0.receive(data) }
    }

    func readConnectionLost() {
        layer?.inputEnded()
    }

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) throws {
        try layer?.lost(reason)
    }
}
