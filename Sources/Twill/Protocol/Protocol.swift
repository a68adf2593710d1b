/// The handler of one connection: subclass it, override the events you care about.
///
/// ```swift
/// final class Echo: Protocol {
///     override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
/// }
/// ```
///
/// # Contract
/// - `connectionMade` once, then `dataReceived` any number of times, then `connectionLost` exactly once, and nothing after it.
/// - Every event comes on the reactor's thread, and no event interrupts another of the same connection.
/// - Any event may throw: the error is logged, the connection is closed, and `connectionLost` gets the error in its reason. A ``Rejection``,
///   which says what the peer did wrong, is logged at the level `debug` only. Other connections are not touched.
/// - The connection holds its protocol until `connectionLost` has returned; nothing else in Twill does. A closure or a timer of
///   your own that holds the protocol should be dropped there.
///
/// Twisted: `twisted.internet.protocol.Protocol`.
open class Protocol {
    #if DEBUG
    private let liveCount = LiveCount(.protocols)
    #endif
    private(set) final var heldTransport = HeldReference<Transport>(nil)
    private final var idleTimeout: IdleTimeout?
    /// Who has taken this one's place.
    private final weak var successor: Protocol?

    /// The connection: where to write and how to close. Before `connectionMade` it is a closed transport, which drops what is
    /// written to it.
    public final var transport: Transport { currentTransport ?? Transport() }

    final var currentTransport: Transport? { heldTransport.object }

    /// Whether it has never had a connection.
    final var isUnused: Bool { heldTransport.isEmpty }

    /// The factory that made this protocol; nil for one that was made by hand.
    public final internal(set) var factory: Factory?

    /// How log lines name this protocol; its type unless overridden. Twisted: `logPrefix`.
    open var logPrefix: String { "\(type(of: self))" }

    /// Who is told when one half of the connection closes: this protocol if it is a ``HalfCloseableProtocol``, else nobody, and the
    /// connection closes with its first half. A protocol that wraps another one answers for that one.
    open var halfCloseable: (any HalfCloseableProtocol)? { self as? any HalfCloseableProtocol }

    /// Who is given the descriptors that the peer passes over a UNIX socket: this protocol if it is a ``DescriptorReceiver``, else nobody. A protocol
    /// that wraps another one answers for that one.
    open var descriptorReceiver: (any DescriptorReceiver)? { self as? any DescriptorReceiver }

    /// How many bytes of a message that is not whole yet the protocol holds; 0 where it can't tell. Deadlines for whole messages ask for it.
    open var unfinishedByteCount: Int { 0 }

    /// Whether closing now would break something off: a message that has arrived in part, an answer that is still being made.
    ///
    /// A server that is to end asks for it, at once and then again and again, and closes the connection where the answer is no. What was written
    /// need not be thought of here: it is sent first. By default, whether a message is unfinished; a protocol that answers later than it was asked
    /// says so:
    ///
    /// ```swift
    /// final class Answers: LineReceiver {
    ///     var answersUnderWay = 0
    ///     override var isBusy: Bool { answersUnderWay > 0 || super.isBusy }
    /// }
    /// ```
    ///
    /// A protocol that wraps another one answers for that one. Twisted has none.
    open var isBusy: Bool { unfinishedByteCount > 0 }

    /// Makes a protocol that is not connected yet.
    public init() {}

    deinit {
        heldTransport.release()
    }

    /// Connects the protocol to its transport and calls ``connectionMade()``.
    ///
    /// Reactors call it, and tests that bring a transport of their own. Twisted: `BaseProtocol.makeConnection`.
    public final func makeConnection(_ transport: Transport) throws {
        let previous = heldTransport
        heldTransport = HeldReference(transport)
        previous.release()
        startTimeout()
        try connectionMade()
    }

    /// Called once, when the connection is ready in both directions. A good place to greet, and to set up what the other events need.
    open func connectionMade() throws {}

    /// Called with the bytes that arrived, as they arrived: the network keeps no message boundaries, so a message may come in several
    /// pieces and one piece may hold several messages.
    ///
    /// The span is never empty, and is lent for the length of the call: copy what must live longer. At most 256 KiB come at a time.
    open func dataReceived(_ data: Span<UInt8>) throws {}

    /// Hands the connection to another protocol: that one's `connectionMade` is called now, and every later event is its own. This one hears
    /// nothing more, `connectionLost` included, and its timeout is taken back. Policies around it stay.
    ///
    /// Does nothing once the connection has ended, and where this one has handed it over already.
    ///
    /// ```swift
    /// final class Greeting: LineReceiver {
    ///     override func lineReceived(_ line: Span<UInt8>) throws {
    ///         if String(repairing: line) == "BINARY" { try handOver(to: Echo()) }
    ///     }
    /// }
    /// ```
    ///
    /// A ``FrameReceiver`` hands the bytes over, too, that it has not read yet.
    ///
    /// - Parameters:
    ///   - next: the other protocol.
    ///   - unread: bytes that arrived and are for it; they are delivered to it now, whether reading is paused or not.
    /// - Throws: what the two callbacks throw, and nothing else.
    public final func handOver(to next: Protocol, unread: [UInt8]) throws {
        guard mayHandOver, let transport = currentTransport else { return }
        setTimeout(nil)
        if next.factory == nil { next.factory = factory }
        next.successor = nil
        successor = next
        transport.replaceProtocol(self, by: next)
        try next.makeConnection(transport)
        // The next one may have handed on at once, without having seen these bytes.
        var last = next
        while let further = last.successor { last = further }
        if !unread.isEmpty, transport.state == .connected { try last.dataReceived(unread.span) }
    }

    /// Puts a layer's transport in the place of the one below it, in the middle of a connection: `connectionMade` is not called again.
    package final func moveOnto(_ layer: Transport) {
        let previous = heldTransport
        heldTransport = HeldReference(layer)
        previous.release()
    }

    /// Whether there is a connection, and it is this one's.
    final var mayHandOver: Bool {
        guard let currentTransport else { return false }
        return successor == nil && currentTransport.state != .disconnected
    }

    /// Lets another protocol take the place of one that this one wraps.
    package func replace(_ previous: Protocol, by next: Protocol) {}

    /// Called at most once, when the server that serves the connection is to end: a place to say goodbye, or to refuse further requests.
    ///
    /// The connection is closed afterwards, as soon as it ``isBusy`` no more, and aborted at the deadline. Input is delivered until then. A
    /// protocol that wraps another one hands the call on.
    ///
    /// ```swift
    /// final class Polite: LineReceiver {
    ///     override func drainRequested(deadline: ReactorClock.Instant) { sendLine("this server ends: come back in a minute") }
    /// }
    /// ```
    ///
    /// Twisted has none.
    open func drainRequested(deadline: ReactorClock.Instant) throws {}

    /// Called exactly once, after the last `dataReceived`. The transport accepts no more writes. Break reference cycles here.
    ///
    /// An error thrown from here is logged; there is nothing left to close.
    open func connectionLost(_ reason: ConnectionLost) throws {}

    /// Sets how long the connection may be idle before ``timeoutConnection()`` is called, once; nil takes the timeout back.
    ///
    /// The time begins now, or with the connection where that is not made yet. What is no idleness you say yourself, by
    /// ``resetTimeout()``. The end of the connection ends the timeout.
    ///
    /// ```swift
    /// final class Patient: LineReceiver {
    ///     override func connectionMade() { setTimeout(.seconds(30)) }
    ///     override func lineReceived(_ line: Span<UInt8>) { resetTimeout() }
    /// }
    /// ```
    ///
    /// - Returns: the period that was set before.
    ///
    /// Twisted: `TimeoutMixin.setTimeout`.
    @discardableResult
    public final func setTimeout(_ period: Duration?) -> Duration? {
        let previous = idleTimeout
        previous?.call?.cancelIfActive()
        idleTimeout = period.map { IdleTimeout(period: $0) }
        startTimeout()
        return previous?.period
    }

    /// Begins the time of ``setTimeout(_:)`` anew; cheap enough for every message. Does nothing where no timeout is running.
    ///
    /// Twisted: `TimeoutMixin.resetTimeout`.
    public final func resetTimeout() {
        guard let idleTimeout, let call = idleTimeout.call, call.isActive else { return }
        try? call.reset(idleTimeout.period)
    }

    /// Called when nothing has reset the timeout for its period: closes the connection for ``ConnectionLost/timedOut``.
    ///
    /// Twisted: `TimeoutMixin.timeoutConnection`.
    open func timeoutConnection() throws {
        transport.loseConnection(because: .timedOut)
    }

    private final func startTimeout() {
        guard let idleTimeout, let currentTransport, currentTransport.state != .disconnected else { return }
        idleTimeout.call = currentTransport.callLater(idleTimeout.period) { [weak self] in try self?.timeoutConnection() }
    }
}

/// What a protocol has set as its timeout. A class, so that a protocol without one pays for no more than a reference.
private final class IdleTimeout {
    let period: Duration
    /// Nil while there is no connection.
    var call: DelayedCall?

    init(period: Duration) {
        self.period = period
    }
}
