/// Whose PROXY headers are believed: networks, and the peers of UNIX sockets.
///
/// Written, it is a list with commas, `10.0.0.0/8, 192.0.2.7, unix`; an empty one trusts nobody.
public struct TrustedProxies: Hashable, Sendable {
    /// The networks whose hosts are trusted.
    public var networks: [IPNetwork]
    /// Whether the peers of a UNIX socket are trusted, which have no address; the permissions of its path are what keeps others out.
    public var includesUNIX: Bool

    /// Trusts the hosts of networks.
    public init(networks: [IPNetwork], includesUNIX: Bool = false) {
        self.networks = networks
        self.includesUNIX = includesUNIX
    }

    /// Reads a list: networks and addresses with commas between them, and `unix` for the peers of a UNIX socket.
    ///
    /// - Throws: ``IPNetworkError`` with the part that names none.
    public init(_ list: String) throws(IPNetworkError) {
        self.init(networks: [])
        guard list.contains(where: { $0 != " " }) else { return }
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let name = part.drop { $0 == " " }.prefix { $0 != " " }
            guard part[name.endIndex...].allSatisfy({ $0 == " " }) else { throw IPNetworkError(.notAnAddress, in: String(part)) }
            if name == "unix" { includesUNIX = true } else { networks.append(try IPNetwork(String(name))) }
        }
    }

    /// Whether a peer is one of them.
    public func contains(_ peer: Address) -> Bool {
        switch peer {
        case .ipv4, .ipv6: networks.contains { $0.contains(peer) }
        case .unix: includesUNIX
        case .unknown: false
        }
    }
}

extension TrustedProxies: CustomStringConvertible {
    public var description: String {
        (networks.map(\.description) + (includesUNIX ? ["unix"] : [])).joined(separator: ",")
    }
}
