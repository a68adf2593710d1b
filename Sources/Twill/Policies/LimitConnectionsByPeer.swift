/// Limits how many connections one host may have open at once; those that are too many are refused.
///
/// ```swift
/// try reactor.listenTCP(port: 8007, factory: LimitConnectionsByPeer(wrapping: Factory { Shout() }, connectionsMax: 20))
/// ```
///
/// A host is the peer's address without its port. Peers without one, those of UNIX sockets, are not limited. Behind a proxy that does not
/// tell who its clients are, all of them are one host; and a peer with an IPv6 network of its own is as many hosts as it likes.
///
/// Twisted: `LimitConnectionsByPeer`, which fails for every connection in 26.10.
public final class LimitConnectionsByPeer: WrappingFactory {
    /// How many connections one host may have open at once.
    public let connectionsMax: Int

    private var counts: [String: Int] = [:]

    /// Limits the connections of each host to a factory; Twisted's five unless given.
    public init(wrapping wrapped: Factory, connectionsMax: Int = 5) {
        self.connectionsMax = connectionsMax
        super.init(wrapping: wrapped)
    }

    /// How many connections a host has open.
    public func connectionCount(of host: String) -> Int { counts[host, default: 0] }

    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        guard address.port != nil else { return try super.buildProtocol(address) }
        guard let seat = takeSeat(for: address.host) else { return nil }
        return try wrapped.protocolForConnection(from: address).map { SeatedProtocol(wrapping: $0, seat: seat) }
    }

    private func takeSeat(for host: String) -> Seat? {
        let count = connectionCount(of: host)
        guard count < connectionsMax else { return nil }
        counts[host] = count + 1
        return Seat { [self] in giveBackSeat(of: host) }
    }

    private func giveBackSeat(of host: String) {
        let count = connectionCount(of: host) - 1
        // A host without connections must not be remembered: there are many of them.
        counts[host] = count > 0 ? count : nil
    }
}
