/// Limits how many bytes per second all connections of a factory together receive and send, and how many of them there are.
///
/// ```swift
/// let echoes = Factory { Echo() }
/// let factory = ThrottlingFactory(wrapping: echoes, bytesInPerSecond: 1 << 20, bytesOutPerSecond: 10 << 20, connectionsMax: 500)
/// ```
///
/// What was not used is saved up for one second. What was used beyond that is a debt, and until it is paid everybody is held back:
/// nobody is read from, and where the debt is one of output, producers are paused too. The peers are slowed down by the network's own
/// flow control.
///
/// # Contract
/// - No byte is lost or held: what was read is delivered, and what a protocol writes is sent at once. One that writes much does so as a
///   ``Producer``, or everybody waits until its write is paid for.
/// - A pause is at least a tenth of a second long, so that small messages do not make it flutter.
/// - A connection that is too many is refused.
///
/// Twisted: `ThrottlingFactory`, which looks once a second.
public final class ThrottlingFactory: WrappingFactory {
    private static let shortestPause = Duration.milliseconds(100)

    /// One direction's rate, and whether everybody is held back for it.
    fileprivate final class Limit {
        var bucket: TokenBucket
        var isHolding = false

        init(bytesPerSecond: Int) {
            bucket = TokenBucket(tokensPerSecond: bytesPerSecond)
        }
    }

    fileprivate let input: Limit?
    fileprivate let output: Limit?
    private let seats: ConnectionSeats
    private var connections: [ObjectIdentifier: ThrottledProtocol] = [:]
    private var isTellingAll = false

    /// Limits a factory's connections; nil is no limit.
    ///
    /// - Precondition: a rate is at least one byte per second.
    public init(wrapping wrapped: Factory, bytesInPerSecond: Int? = nil, bytesOutPerSecond: Int? = nil, connectionsMax: Int? = nil) {
        input = bytesInPerSecond.map { Limit(bytesPerSecond: $0) }
        output = bytesOutPerSecond.map { Limit(bytesPerSecond: $0) }
        seats = ConnectionSeats(max: connectionsMax ?? .max)
        super.init(wrapping: wrapped)
    }

    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        guard let seat = seats.take() else { return nil }
        return try wrapped.protocolForConnection(from: address).map { ThrottledProtocol(wrapping: $0, seat: seat, throttle: self) }
    }

    fileprivate func add(_ connection: ThrottledProtocol) {
        connections[ObjectIdentifier(connection)] = connection
        tell(connection)
    }

    fileprivate func remove(_ connection: ThrottledProtocol) {
        connections[ObjectIdentifier(connection)] = nil
    }

    /// Takes note of bytes that were received or are being sent.
    fileprivate func note(_ count: Int, of limit: Limit?, on reactor: any Reactor) {
        guard let limit else { return }
        let now = reactor.now
        limit.bucket.take(count, at: now)
        holdIfNeeded(limit, at: now, on: reactor)
    }

    private func holdIfNeeded(_ limit: Limit, at now: ReactorClock.Instant, on reactor: any Reactor) {
        guard limit.bucket.isInDebt(at: now), !limit.isHolding, !isTellingAll else { return }
        limit.isHolding = true
        lookLater(limit, on: reactor)
        tellAll(on: reactor)
    }

    private func lookLater(_ limit: Limit, on reactor: any Reactor) {
        let pause = max(limit.bucket.debt(at: reactor.now), Self.shortestPause)
        reactor.callLater(pause) { [weak self, weak reactor] in
            guard let self, let reactor else { return }
            // Protocols may have written on.
            if limit.bucket.isInDebt(at: reactor.now) { return lookLater(limit, on: reactor) }
            limit.isHolding = false
            tellAll(on: reactor)
        }
    }

    private func tellAll(on reactor: any Reactor) {
        // Each producer shall have its turn when they are let go on: what one of them writes at once holds nobody back before the last was told.
        isTellingAll = true
        for connection in connections.values { tell(connection) }
        isTellingAll = false
        if let input { holdIfNeeded(input, at: reactor.now, on: reactor) }
        if let output { holdIfNeeded(output, at: reactor.now, on: reactor) }
    }

    private func tell(_ connection: ThrottledProtocol) {
        let holdsProducer = output?.isHolding == true
        connection.hold(reading: holdsProducer || input?.isHolding == true, producer: holdsProducer)
    }
}

private final class ThrottledProtocol: SeatedProtocol {
    private let throttle: ThrottlingFactory
    private var layer: TransportWrapper?

    init(wrapping wrapped: Protocol, seat: Seat, throttle: ThrottlingFactory) {
        self.throttle = throttle
        super.init(wrapping: wrapped, seat: seat)
    }

    override func connectionMade() throws {
        let layer = TransportWrapper(over: transport) { [weak self] count in self?.noteWrite(count) }
        self.layer = layer
        throttle.add(self)
        try wrapped.makeConnection(layer)
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        throttle.note(data.count, of: throttle.input, on: transport.reactor)
        try super.dataReceived(data)
    }

    private func noteWrite(_ count: Int) {
        throttle.note(count, of: throttle.output, on: transport.reactor)
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        throttle.remove(self)
        try super.connectionLost(reason)
    }

    func hold(reading: Bool, producer: Bool) {
        layer?.holdsReading = reading
        layer?.holdsProducer = producer
    }
}
