/// Closes connections on which nothing has been read or written for a while.
///
/// ```swift
/// try reactor.listenTCP(port: 8007, factory: TimeoutFactory(wrapping: Factory { Echo() }, timeout: .seconds(60)))
/// ```
///
/// The connection is closed as by `loseConnection`, with ``DeadlineError/idle(_:)`` in the reason. A peer that sends a byte now and then
/// stays: ``DeadlineFactory`` is for those. Where a protocol itself knows what idle means, ``Protocol/setTimeout(_:)`` is enough.
///
/// Twisted: `TimeoutFactory`, `TimeoutProtocol`.
public final class TimeoutFactory: WrappingFactory {
    /// How long nothing may be read or written.
    public let timeout: Duration

    /// Puts an idle timeout on each connection of a factory; Twisted's half an hour unless given.
    public init(wrapping wrapped: Factory, timeout: Duration = .seconds(1800)) {
        self.timeout = timeout
        super.init(wrapping: wrapped)
    }

    public override func wrap(_ handler: Protocol) -> ProtocolWrapper {
        TimeoutProtocol(wrapping: handler, timeout: timeout)
    }
}

private final class TimeoutProtocol: ProtocolWrapper {
    private let timeout: Duration
    private var isReceiving = false

    init(wrapping wrapped: Protocol, timeout: Duration) {
        self.timeout = timeout
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        setTimeout(timeout)
        try wrapped.makeConnection(TransportWrapper(over: transport) { [weak self] _ in self?.noteWrite() })
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        isReceiving = true
        try super.dataReceived(data)
        isReceiving = false
        // Once, for the input and for what was written in answer to it.
        resetTimeout()
    }

    private func noteWrite() {
        if !isReceiving { resetTimeout() }
    }

    override func timeoutConnection() {
        transport.loseConnection(because: .timedOut(DeadlineError.idle(timeout)))
    }
}
