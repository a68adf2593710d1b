/// Where and how a TCP port listens.
///
/// Twisted: what `tcp.makeBinding` returns.
public struct TCPBinding: Sendable {
    /// From 0 to 65535; 0 takes a free port.
    public var port: Int
    /// The literal address to listen on; empty for all, IPv6 and IPv4 in one socket where the machine has both.
    public var interface: String
    /// How many connections may wait to be accepted; the system may have a lower limit of its own.
    public var backlog: Int
    /// Whether other sockets may listen on the same port, the system spreading the connections over them (SO_REUSEPORT).
    public var reusePort: Bool
    /// How many connections of this port may be open at once; at that number others wait until one has ended. nil, the default, leaves it
    /// to the reactor's own limit.
    public var connectionsMax: Int?
    /// How many connections one turn of the loop accepts, so that a flood of them does not hold up the others; 64 by default.
    public var acceptsPerTurn = 64
    /// What each accepted connection gets.
    public var options: TransportOptions

    /// Describes a port; 4096 connections may wait.
    public init(
        port: Int, interface: String = "", backlog: Int = 4096, reusePort: Bool = false, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions()
    ) {
        self.port = port
        self.interface = interface
        self.backlog = backlog
        self.reusePort = reusePort
        self.connectionsMax = connectionsMax
        self.options = options
    }
}

/// Where and how an outgoing TCP connection goes.
public struct TCPTarget: Sendable {
    /// A literal address, or a name to look up.
    public var host: String
    /// From 1 to 65535.
    public var port: Int
    /// How long the attempt may take in all, the look-up included; 30 seconds by default.
    public var timeout: Duration
    /// The local address to connect from; nil leaves it to the system.
    public var bindAddress: Address?
    /// What the connection gets.
    public var options: TransportOptions

    /// Describes an outgoing connection.
    public init(
        host: String, port: Int, timeout: Duration = .seconds(30), bindAddress: Address? = nil,
        options: TransportOptions = TransportOptions()
    ) {
        self.host = host
        self.port = port
        self.timeout = timeout
        self.bindAddress = bindAddress
        self.options = options
    }

    /// The target as text, an IPv6 address in brackets: `[::1]:8007`.
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
