import Twill

/// What the hosts of one simulation are joined by: who has which name and address, and the way from each to each.
final class SimulatedWiring {
    private struct Way: Hashable {
        var from: String
        var to: String
    }

    private final class Host {
        weak let reactor: SimulatedReactor?

        init(_ reactor: SimulatedReactor) {
            self.reactor = reactor
        }
    }

    let seed: UInt64
    /// What every link between two hosts is like that has no conditions of its own.
    var conditions = LinkConditions() {
        didSet {
            for (way, link) in links where way.from != way.to && ownConditions[way] == nil { link.conditions = conditions }
        }
    }
    /// The addresses of names, but for those of the hosts.
    var names: [String: [Address]] = [:]
    private var hosts: [IPv4Address: Host] = [:]
    private var links: [Way: SimulatedLink] = [:]
    private var ownConditions: [Way: LinkConditions] = [:]

    init(seed: UInt64) {
        self.seed = seed
    }

    /// Takes a host in; its address.
    func add(_ reactor: SimulatedReactor) -> IPv4Address {
        let address = IPv4Address(bits: 0x0A00_0001 + UInt32(hosts.count), port: 0)
        hosts[address] = Host(reactor)
        names[reactor.name] = [.ipv4(address)]
        return address
    }

    /// The host that has an address.
    func host(at address: Address) -> SimulatedReactor? {
        guard case .ipv4(let address) = address else { return nil }
        return hosts[IPv4Address(bits: address.bits, port: 0)]?.reactor
    }

    func link(from: String, to: String) -> SimulatedLink {
        let way = Way(from: from, to: to)
        if let link = links[way] { return link }
        let link = SimulatedLink(
            name: "\(from)>\(to)", seed: seed, conditions: from == to ? .local : ownConditions[way] ?? conditions)
        links[way] = link
        return link
    }

    func set(_ conditions: LinkConditions, from: String, to: String) {
        ownConditions[Way(from: from, to: to)] = conditions
        link(from: from, to: to).conditions = conditions
    }
}

/// Looks names up in the simulation.
final class SimulatedResolver: Resolver {
    private let wiring: SimulatedWiring

    init(_ wiring: SimulatedWiring) {
        self.wiring = wiring
    }

    func resolve(
        _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
    ) -> () -> Void {
        let answer = { [wiring] () -> Result<[Address], ResolveError> in
            if name == "localhost" { return .success([.ipv4(.loopback)]) }
            guard let addresses = wiring.names[name] else {
                return .failure(ResolveError(name: name, message: "the simulated network has no such host"))
            }
            return .success(addresses)
        }
        let call = reactor.callLater(.zero) { completion(answer()) }
        return { call.cancelIfActive() }
    }
}

extension IPv4Address {
    static let loopback = IPv4Address(bits: 0x7F00_0001, port: 0)
}
