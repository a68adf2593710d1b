/// What was counted of a UDP port's datagrams.
///
/// A copy of the counters at the moment at which it was asked for. What the system loses before it gets here, nobody counts.
public struct DatagramStatistics: Sendable, Equatable {
    /// How many datagrams were handed to `datagramReceived`.
    public package(set) var received = 0
    /// How many bytes they had.
    public package(set) var bytesReceived = 0
    /// How many datagrams were longer than the port's `maxPacketSize`.
    public package(set) var truncated = 0
    /// How many datagrams the system took.
    public package(set) var sent = 0
    /// How many bytes they had.
    public package(set) var bytesSent = 0
    /// How many datagrams were dropped because the system's send buffer was full.
    public package(set) var dropped = 0
    /// How many datagrams the system refused for another reason.
    public package(set) var failed = 0
    /// How many times the peer of a connected port was reported not to listen.
    public package(set) var refused = 0

    package init() {}
}
