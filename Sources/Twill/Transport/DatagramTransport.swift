/// An open UDP port as its protocol sees it: where to write, how to set it, and how to close it.
///
/// It is the `transport` of a ``DatagramProtocol`` from `startProtocol` on, and what ``Reactor/listenUDP(port:protocol:interface:maxPacketSize:reusePort:options:)``
/// returns.
///
/// ```swift
/// final class Ping: DatagramProtocol {
///     let server: Address
///     init(_ server: Address) {
///         self.server = server
///         super.init()
///     }
///     override func startProtocol() throws {
///         try transport.connect(to: server)
///         try transport.write("ping")
///     }
///     override func datagramReceived(_ data: Span<UInt8>, from sender: Address) { transport.stopListening() }
///     override func connectionRefused() { print("nobody listens at \(server)") }
/// }
/// ```
///
/// # Contract
/// - Everything happens on the reactor's thread, and no method blocks.
/// - What one callback writes leaves in one system call when the callback returns, or before, where it is more than 64 datagrams or 64 KiB.
///   Each write is one datagram. An empty one is a datagram, too.
/// - A write throws what can be known at once: an address that is none for this port, too many bytes. What only the system can tell comes
///   later, to ``DatagramProtocol/sendingFailed(_:)``.
/// - **A full send buffer drops.** What the system has no room for is not sent, then or later: it is counted
///   (``DatagramStatistics/dropped``), the protocol hears ``DatagramProtocol/sendBufferFilled()`` once, and until there is room again
///   (``DatagramProtocol/sendBufferDrained()``) everything written is dropped, without a system call. Nothing waits in this process. The
///   system's buffer is a queue already, whose size is ``DatagramOptions/sendBufferBytes``; a second one behind it would only add delay, and
///   send what is stale by then before what is new. Whoever uses UDP has to live with loss anyway, and whoever can wait waits for
///   `sendBufferDrained`.
/// - After ``stopListening()`` writes are dropped in silence, and stopping again does nothing.
/// - Not guaranteed: that a datagram arrives, once, or in order. That is UDP.
///
/// A `DatagramTransport` made by itself is a closed one: it drops what is written to it. Subclass it to bring a transport of your own.
///
/// Twisted: `IUDPTransport`, `IMulticastTransport`. There a full send buffer raises an error to the caller.
open class DatagramTransport {
    #if DEBUG
    private let liveCount = LiveCount(.ports)
    #endif

    /// Makes a transport that is closed.
    public init() {}

    /// Sends a datagram to an address.
    ///
    /// The bytes are taken before the call returns. A datagram carries at most 65507 bytes over IPv4 and 65527 over IPv6; on its way, above
    /// some 1400 bytes, it is cut into packets of which none may be lost.
    ///
    /// - Throws: ``DatagramError/invalidAddress``, ``DatagramError/tooLong``, ``DatagramError/broadcastNotAllowed`` for 255.255.255.255;
    ///   ``DatagramError/alreadyConnected`` for any address but the peer's, on a connected port.
    ///
    /// Twisted: `IUDPTransport.write`. Host names are no addresses here: the compiler refuses them.
    open func write(_ data: Span<UInt8>, to address: Address) throws(DatagramError) {}

    /// Sends a datagram to the peer of a connected port.
    ///
    /// - Throws: ``DatagramError/notConnected``, ``DatagramError/tooLong``.
    open func write(_ data: Span<UInt8>) throws(DatagramError) {}

    /// Binds the port to one peer: datagrams come from it alone, go to it alone, and its machine's answer that nobody listens there comes to
    /// ``DatagramProtocol/connectionRefused()``. Nothing is sent. There is no way back.
    ///
    /// - Throws: ``DatagramError/alreadyConnected``; ``DatagramError/invalidAddress``; ``DatagramError/failed`` where there is no way there.
    ///
    /// Twisted: `IUDPTransport.connect`.
    open func connect(to address: Address) throws(DatagramError) {}

    /// The peer of a connected port, else nil.
    open var peer: Address? { nil }

    /// The address that the port is bound to, with the port that was taken where 0 was asked for. Twisted: `getHost`.
    open var host: Address { .unknown }

    /// Whether the port is open.
    open var isListening: Bool { false }

    /// Closes the port. What was written is sent first; nothing more is delivered, not even what has arrived already. The protocol's
    /// `stopProtocol` follows on a later turn. Stopping twice does nothing.
    ///
    /// Twisted: `stopListening`, whose promise is `stopProtocol` here.
    open func stopListening() {}

    /// Delivers what has arrived, on the next turn, and takes nothing more from then on: another process has the socket, too. It may still write.
    package func stopReceiving() {}

    /// What was counted so far.
    open var statistics: DatagramStatistics { DatagramStatistics() }

    /// Whether datagrams may be sent to broadcast addresses. Twisted: `setBroadcastAllowed`, `getBroadcastAllowed`.
    open var broadcastAllowed: Bool {
        get { false }
        set { _ = newValue }
    }

    /// Joins a multicast group, whose datagrams are then delivered like any others. What goes to groups that the port has not joined is not delivered,
    /// whoever else on this machine has joined them.
    ///
    /// The port must have been opened with the group's port number, and on all interfaces or on the group's address; several members on one
    /// machine need ``UDPBinding/reusePort``.
    ///
    /// - Parameters:
    ///   - group: a literal address: 224.0.0.0 to 239.255.255.255, or one that begins with ff.
    ///   - interface: the name or a literal address of the interface to listen on; empty for the one that the system would send to the group by.
    /// - Throws: ``DatagramError/invalidGroup``, ``DatagramError/invalidInterface``; ``DatagramError/failed`` where the system refuses, for
    ///   example because the port is a member already.
    ///
    /// Twisted: `IMulticastTransport.joinGroup`, which answers by a promise.
    open func joinGroup(_ group: String, interface: String = "") throws(DatagramError) {}

    /// Leaves a multicast group, with the interface that it was joined on.
    ///
    /// - Throws: as ``joinGroup(_:interface:)``; ``DatagramError/failed`` where the port is no member.
    open func leaveGroup(_ group: String, interface: String = "") throws(DatagramError) {}

    /// Sets over how many routers multicast datagrams may go: 0 for none that leave this machine, 1, the system's default, for the local
    /// network. At most 255.
    ///
    /// - Throws: ``DatagramError/invalidValue``.
    ///
    /// Twisted: `setTTL`, which sets the limit of IPv4 even on IPv6 ports.
    open func setTTL(_ hops: Int) throws(DatagramError) {}

    /// Sets whether multicast datagrams sent from here come to the members on this machine, too; on by default.
    ///
    /// Twisted: `setLoopbackMode`.
    open func setLoopback(_ isOn: Bool) throws(DatagramError) {}

    /// Sets by which interface multicast datagrams leave: its name or one of its literal addresses; empty leaves it to the system.
    ///
    /// - Throws: ``DatagramError/invalidInterface``.
    ///
    /// Twisted: `setOutgoingInterface`.
    open func setOutgoingInterface(_ interface: String) throws(DatagramError) {}

    /// The reactor that serves this port.
    ///
    /// - Precondition: the transport was handed to a protocol by a reactor; a bare `DatagramTransport()` has none.
    open var reactor: any Reactor {
        preconditionFailure("this transport belongs to no reactor: use it from startProtocol on")
    }
}

extension DatagramTransport {
    /// Sends an array's bytes, without copying the array first.
    public final func write(_ bytes: [UInt8], to address: Address) throws(DatagramError) {
        let data = bytes.span
        try write(data, to: address)
    }

    /// Sends a text as UTF-8.
    public final func write(_ text: String, to address: Address) throws(DatagramError) {
        let utf8 = text.utf8Span
        let data = utf8.span
        try write(data, to: address)
    }

    /// Sends an array's bytes to the peer, without copying the array first.
    public final func write(_ bytes: [UInt8]) throws(DatagramError) {
        let data = bytes.span
        try write(data)
    }

    /// Sends a text to the peer as UTF-8.
    public final func write(_ text: String) throws(DatagramError) {
        let utf8 = text.utf8Span
        let data = utf8.span
        try write(data)
    }
}

extension Address {
    /// Everybody on the local networks, at a port; ``DatagramTransport/broadcastAllowed`` must be on. Twisted: `<broadcast>`.
    public static func broadcast(port: UInt16) -> Address {
        .ipv4(IPv4Address(bits: .max, port: port))
    }
}
