import Logging

/// One connection from a proxy: it waits for the header, and from there on hands every event to the protocol that it then asked for.
///
/// It stays for the length of the connection, because what the protocol is told of its loss shall name the client and not the proxy.
///
/// The one difficulty is what came in the same read as the header, when the protocol pauses reading in `connectionMade`: it may get no
/// bytes then, and no end before them. So those bytes are held here, with reading stopped, until it resumes; and so long this object is
/// the one who hears that the peer has closed its half.
final class ProxiedProtocol: Protocol, HalfCloseableProtocol {
    private let owner: ProxyProtocolFactory
    private var parser: ProxyHeaderParser
    /// Keeps the factory inside in use until the header is there: a port that stops listening meanwhile stops it only then.
    private var use: Seat?
    private var wrapped: Protocol?
    private var layer: ProxiedTransport?
    /// What came with the header and could not be delivered yet.
    private var held: [UInt8] = []
    private var willDeliver = false
    /// Whether the peer has closed its half while something was held.
    private var inputHasEnded = false

    init(owner: ProxyProtocolFactory, use: Seat?) {
        self.owner = owner
        self.use = use
        parser = ProxyHeaderParser(headerBytesMax: owner.headerBytesMax)
        super.init()
    }

    override var logPrefix: String { wrapped?.logPrefix ?? owner.logPrefix }

    override var unfinishedByteCount: Int { wrapped?.unfinishedByteCount ?? parser.unfinishedByteCount }

    /// One that waits for its header serves nobody yet; what it holds was not delivered.
    override var isBusy: Bool { wrapped?.isBusy ?? false || !held.isEmpty }

    override func drainRequested(deadline: ReactorClock.Instant) throws {
        try wrapped?.drainRequested(deadline: deadline)
    }

    override var halfCloseable: (any HalfCloseableProtocol)? {
        // Without a header nobody may answer a peer that says no more.
        held.isEmpty ? wrapped?.halfCloseable : self
    }

    override func replace(_ previous: Protocol, by next: Protocol) {
        if wrapped === previous { wrapped = next } else { wrapped?.replace(previous, by: next) }
    }

    // The header.

    override func connectionMade() {
        setTimeout(owner.headerTimeout)
    }

    override func timeoutConnection() {
        refuse(.timedOut(DeadlineError.proxyHeader(owner.headerTimeout)), counting: \.timedOut)
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        guard wrapped == nil else { return try deliver(data) }
        guard let (header, byteCount) = parse(data) else { return }
        headerReceived(header)
        if byteCount < data.count { try deliver(data.extracting(byteCount...)) }
    }

    private func parse(_ data: Span<UInt8>) -> (ProxyHeader, Int)? {
        do throws(ProxyHeaderError) {
            return try parser.parse(data)
        } catch {
            refuse(.badInput(error), counting: \.headersRefused)
            return nil
        }
    }

    private func refuse(_ reason: ConnectionLost, counting counter: ReferenceWritableKeyPath<ProxyProtocolFactory, Int>) {
        owner[keyPath: counter] += 1
        setTimeout(nil)
        transport.reactor.logger.warning("\(logPrefix): \(reason.with(transport.peer))")
        transport.loseConnection(because: reason)
    }

    private func headerReceived(_ header: ProxyHeader) {
        setTimeout(nil)
        let layer = ProxiedTransport(over: transport, header: header, for: self)
        defer { use = nil }
        do {
            guard let made = try owner.wrapped.protocolForConnection(from: layer.peer) else { return transport.loseConnection() }
            wrapped = made
            self.layer = layer
        } catch {
            return transport.callbackThrew(error, in: "buildProtocol")
        }
        tell("connectionMade") { try $0.makeConnection(layer) }
    }

    // What follows it.

    private func deliver(_ data: Span<UInt8>) throws {
        guard let layer, transport.state == .connected else { return }
        if layer.isPausedInside || !held.isEmpty {
            held.append(copying: data)
            layer.holdsReading = true
        } else {
            try wrapped?.dataReceived(data)
        }
    }

    /// Called when the protocol wants input again: it gets what is held on a later turn, not from inside its own call.
    func readingResumed() {
        guard !held.isEmpty, !willDeliver else { return }
        willDeliver = true
        transport.callLater(.zero) { [weak self] in self?.deliverHeld() }
    }

    private func deliverHeld() {
        willDeliver = false
        guard let layer, !layer.isPausedInside, transport.state == .connected else { return }
        let bytes = held
        held = []
        tell("dataReceived") { try $0.dataReceived(bytes.span) }
        layer.holdsReading = false
        guard inputHasEnded, transport.state == .connected else { return }
        if wrapped?.halfCloseable != nil {
            tell("readConnectionLost") { try $0.halfCloseable?.readConnectionLost() }
        } else {
            transport.loseConnection()
        }
    }

    /// Tells the protocol something when the connection has not just told this one.
    private func tell(_ callback: String, _ call: (Protocol) throws -> Void) {
        guard let wrapped else { return }
        do {
            try call(wrapped)
        } catch {
            transport.callbackThrew(error, in: callback)
        }
    }

    // The ends.

    func readConnectionLost() {
        inputHasEnded = true
    }

    func writeConnectionLost() throws {
        try wrapped?.halfCloseable?.writeConnectionLost()
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        use = nil
        held = []
        try wrapped?.connectionLost(layer?.header.source.map { reason.with($0.unmapped) } ?? reason)
    }
}
