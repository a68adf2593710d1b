import Twill

/// What the hosts of one simulation are joined by: who has which name and address, and the way from each to each.
final class SimulatedWiring {
    private struct Way: Hashable {
        var from: String
        var to: String
    }

    /// A host takes itself out before it goes.
    private struct Host {
        unowned let reactor: SimulatedReactor
    }

    let seed: UInt64
    let faultSwitch: FaultSwitch
    /// What every link between two hosts is like that has no conditions of its own.
    var conditions = LinkConditions() {
        didSet { noteDefaults() }
    }
    /// What goes wrong on every link between two hosts that has no plan of its own.
    var faults = FaultPlan.none {
        didSet { noteDefaults() }
    }
    /// The addresses of names, but for those of the hosts.
    var names: [String: [Address]] = [:]
    private var hosts: [IPv4Address: Host] = [:]
    private var links: [Way: SimulatedLink] = [:]
    private var ownConditions: [Way: LinkConditions] = [:]
    private var ownFaults: [Way: FaultPlan] = [:]

    init(seed: UInt64, faultSwitch: FaultSwitch = FaultSwitch()) {
        self.seed = seed
        self.faultSwitch = faultSwitch
    }

    /// Takes a host in; its address.
    func add(_ reactor: SimulatedReactor) -> IPv4Address {
        let address = IPv4Address(bits: 0x0A00_0001 + UInt32(names.count), port: 0)
        hosts[address] = Host(reactor: reactor)
        names[reactor.name] = [.ipv4(address)]
        return address
    }

    func remove(_ address: IPv4Address) {
        hosts[address] = nil
    }

    /// The host that has an address.
    func host(at address: Address) -> SimulatedReactor? {
        guard case .ipv4(let address) = address else { return nil }
        return hosts[IPv4Address(bits: address.bits, port: 0)]?.reactor
    }

    func link(from: String, to: String) -> SimulatedLink {
        let way = Way(from: from, to: to)
        if let link = links[way] { return link }
        let link = SimulatedLink(name: "\(from)>\(to)", seed: seed, faultSwitch: faultSwitch)
        links[way] = link
        prepare(link, way)
        return link
    }

    private func noteDefaults() {
        for (way, link) in links { prepare(link, way) }
    }

    private func prepare(_ link: SimulatedLink, _ way: Way) {
        // A host reaches itself whatever happens to the network.
        let isLocal = way.from == way.to
        link.conditions = ownConditions[way] ?? (isLocal ? .local : conditions)
        link.faults = ownFaults[way] ?? (isLocal ? .none : faults)
    }

    func set(_ conditions: LinkConditions, from: String, to: String) {
        ownConditions[Way(from: from, to: to)] = conditions
        noteDefaults()
    }

    func set(_ faults: FaultPlan, from: String, to: String) {
        ownFaults[Way(from: from, to: to)] = faults
        noteDefaults()
    }

    /// Ends all faults. In the order of the links' names, because what they held arrives now.
    func heal() {
        ownFaults = [:]
        faults = .none
        for link in links.values.sorted(by: { $0.name < $1.name }) { link.release() }
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
