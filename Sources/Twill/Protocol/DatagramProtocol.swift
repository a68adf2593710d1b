/// The handler of one UDP port: subclass it, override the events you care about.
///
/// ```swift
/// final class Echo: DatagramProtocol {
///     override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
///         try transport.write(data, to: sender)
///     }
/// }
///
/// try reactor.listenUDP(port: 8007, protocol: Echo())
/// ```
///
/// # Contract
/// - `startProtocol` once, then the others any number of times, then `stopProtocol` exactly once, and nothing after it. Then the protocol may
///   be given to another port; it serves one at a time.
/// - Every event comes on the reactor's thread, never from inside a call of the protocol's own, and no event interrupts another.
/// - Any event but `startProtocol` may throw: the error is logged, and the port stays open. A ``Rejection`` is not logged, because whoever
///   sends nonsense would fill the log; of other errors at most ten a second are.
/// - The sender of a datagram is what the datagram says it is. Anybody can write somebody else's address there: an answer that is longer
///   than the question helps to flood that one, and an answer to an answer never ends.
/// - The port holds its protocol until `stopProtocol` has returned; nothing else in Twill does.
///
/// Twisted: `DatagramProtocol`.
open class DatagramProtocol {
    #if DEBUG
    private let liveCount = LiveCount(.protocols)
    #endif
    private final var heldTransport = HeldReference<DatagramTransport>(nil)

    /// The port: where to write and how to close. Before `startProtocol` and after `stopProtocol` it is a closed transport, which drops what is
    /// written to it.
    public final var transport: DatagramTransport { heldTransport.object ?? DatagramTransport() }

    /// Whether a port uses this protocol now.
    public final var isInUse: Bool { !heldTransport.isEmpty }

    /// How log lines name this protocol; its type unless overridden. Twisted: `logPrefix`.
    open var logPrefix: String { "\(type(of: self))" }

    /// Makes a protocol that no port uses yet.
    public init() {}

    deinit {
        heldTransport.release()
    }

    /// Gives the protocol its transport and calls ``startProtocol()``; where that throws, takes the transport back.
    ///
    /// Reactors call it, and tests that bring a transport of their own. Twisted: `makeConnection`.
    ///
    /// - Throws: ``DatagramError/protocolInUse``; what `startProtocol` threw.
    public final func makeConnection(_ transport: DatagramTransport) throws {
        try checkUnused()
        heldTransport = HeldReference(transport)
        do {
            try startProtocol()
        } catch {
            letGo()
            throw error
        }
    }

    /// Calls ``stopProtocol()`` and lets the transport go, where there is one. Twisted: `doStop`.
    public final func doStop() throws {
        guard isInUse else { return }
        defer { letGo() }
        try stopProtocol()
    }

    /// Throws where a port uses the protocol.
    package final func checkUnused() throws(DatagramError) {
        if isInUse { throw .protocolInUse(logPrefix, on: transport.host) }
    }

    private final func letGo() {
        let previous = heldTransport
        heldTransport = HeldReference(nil)
        previous.release()
    }

    /// Called once, when the port is open and nothing has been delivered yet. A good place to connect, or to join groups.
    ///
    /// It is called by `listenUDP` itself, which closes the port again and throws what this throws. Nothing follows then.
    open func startProtocol() throws {}

    /// Called with each datagram that arrived whole, in the order in which the system had them.
    ///
    /// The span is lent for the length of the call: copy what must live longer. It is empty for an empty datagram, which is allowed.
    open func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {}

    /// Called instead of ``datagramReceived(_:from:)`` with the beginning of a datagram that was longer than the port's `maxPacketSize`. The
    /// rest is lost.
    ///
    /// Such datagrams are counted, and the log has a line about them, once a minute at most. Twisted delivers them as if they were whole.
    open func datagramTruncated(_ beginning: Span<UInt8>, from sender: Address) throws {}

    /// Called where the port is connected, and its peer's machine has answered that nobody listens there. Datagrams were lost. Others may be
    /// sent: the peer may be about to start.
    open func connectionRefused() throws {}

    /// Called when the system had no room for a datagram: everything that is written from now on is dropped, until
    /// ``sendBufferDrained()``. See ``DatagramTransport`` for the reasons.
    open func sendBufferFilled() throws {}

    /// Called once after each ``sendBufferFilled()``, when there is room again.
    open func sendBufferDrained() throws {}

    /// Called for a datagram that the system refused for another reason than its buffer's being full: there is no way to the address, a
    /// firewall forbids it, it is too long after all.
    ///
    /// All of them are counted; of those of one callback the first 16 are told. The log has a line about them, once a minute at most.
    open func sendingFailed(_ error: DatagramError) throws {}

    /// Called exactly once when the port is closed: by ``DatagramTransport/stopListening()``, or because the reactor stops. The transport
    /// accepts no more writes. Break reference cycles here.
    open func stopProtocol() throws {}
}
