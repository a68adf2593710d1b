/// Where and how a UDP port is opened.
///
/// Twisted: the arguments of `IReactorUDP.listenUDP`.
public struct UDPBinding: Sendable {
    /// From 0 to 65535; 0 takes a free port.
    public var port: Int
    /// The literal address to listen on; empty for all, IPv6 and IPv4 in one socket where the machine has both.
    public var interface: String
    /// The longest datagram that is delivered, in bytes: from 1 to 65535; other numbers count as the nearest of these. 8192 by default, as
    /// in Twisted. What is longer is cut off by the system, and goes to ``DatagramProtocol/datagramTruncated(_:from:)``.
    public var maxPacketSize: Int
    /// Whether other sockets may have the same port, too (SO_REUSEADDR and SO_REUSEPORT): several reactors or processes over which the system
    /// spreads the senders, or several members of one multicast group, of which each gets every datagram.
    public var reusePort: Bool
    /// What the port asks of the system and of Twill.
    public var options: DatagramOptions

    /// Describes a port.
    public init(
        port: Int, interface: String = "", maxPacketSize: Int = 8192, reusePort: Bool = false, options: DatagramOptions = DatagramOptions()
    ) {
        self.port = port
        self.interface = interface
        self.maxPacketSize = maxPacketSize
        self.reusePort = reusePort
        self.options = options
    }
}

/// What a UDP port asks of the system and of Twill.
public struct DatagramOptions: Sendable {
    /// Whether datagrams may be sent to broadcast addresses (SO_BROADCAST); off by default. ``DatagramTransport/broadcastAllowed`` changes it.
    public var broadcastAllowed = false

    /// The size in bytes of the system's send buffer (SO_SNDBUF); nil leaves it to the system.
    ///
    /// It is the only queue that datagrams wait in: see ``DatagramTransport``.
    public var sendBufferBytes: Int?

    /// The size in bytes of the system's receive buffer (SO_RCVBUF); nil leaves it to the system.
    ///
    /// What comes faster than it is read waits there, and what does not fit is lost without anybody being told.
    public var receiveBufferBytes: Int?

    /// How many datagrams one turn of the loop takes from the port, so that a flood of them does not hold up the others: from 1 to 64, which is
    /// the default. The others wait in the system until the next turn.
    public var datagramsPerTurn = 64

    /// The defaults.
    public init() {}
}
