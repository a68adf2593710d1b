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
        let identity: ObjectIdentifier

        init(_ reactor: SimulatedReactor) {
            self.reactor = reactor
            identity = ObjectIdentifier(reactor)
        }
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
    private var datagramWays: [Way: DatagramWay] = [:]
    private var ownConditions: [Way: LinkConditions] = [:]
    private var ownFaults: [Way: FaultPlan] = [:]
    /// The test's own, in the order in which they were made.
    private(set) var rules: [SimulatedRule] = []
    /// Connections that hosts had when they went dark, which find out when these are back.
    private var darkSockets: [String: [SimulatedSocket]] = [:]
    /// Hosts that answer nothing.
    private var darkHosts: Set<String> = []

    init(seed: UInt64, faultSwitch: FaultSwitch = FaultSwitch()) {
        self.seed = seed
        self.faultSwitch = faultSwitch
    }

    /// Takes a host in; its address. One that starts again has its address of before.
    func add(_ reactor: SimulatedReactor) -> IPv4Address {
        if case .ipv4(let address)? = names[reactor.name]?.first, hosts[address] == nil {
            hosts[address] = Host(reactor)
            return address
        }
        let address = IPv4Address(bits: 0x0A00_0001 + UInt32(names.count), port: 0)
        hosts[address] = Host(reactor)
        names[reactor.name] = [.ipv4(address)]
        return address
    }

    func remove(_ reactor: SimulatedReactor) {
        // One that goes must not be asked for by its reference any more.
        if hosts[reactor.address]?.identity == ObjectIdentifier(reactor) { hosts[reactor.address] = nil }
    }

    /// All hosts, in the order of their addresses.
    var allHosts: [SimulatedReactor] { hosts.sorted { $0.key.bits < $1.key.bits }.map(\.value.reactor) }

    func isDark(_ name: String) -> Bool { darkHosts.contains(name) }

    /// A host answers nothing any more.
    func goDark(_ name: String, _ sockets: [SimulatedSocket]) {
        darkHosts.insert(name)
        darkSockets[name, default: []] += sockets
    }

    /// A host is back, and knows nothing of its connections.
    func comeBack(_ name: String) {
        darkHosts.remove(name)
        for socket in darkSockets.removeValue(forKey: name) ?? [] { socket.comeBack() }
    }

    /// What the first rule says that says anything, and who it is.
    func verdict(on segment: SimulatedSegment) -> (SimulatedVerdict, SimulatedRule)? {
        for rule in rules {
            let verdict = rule.decide(segment)
            if verdict != .pass { return (verdict, rule) }
        }
        return nil
    }

    func add(_ rule: SimulatedRule) {
        rules.append(rule)
    }

    func remove(_ rule: SimulatedRule) {
        rules.removeAll { $0 === rule }
    }

    /// The host that has an address.
    func host(at address: Address) -> SimulatedReactor? {
        guard case .ipv4(let address) = address else { return nil }
        return hosts[IPv4Address(bits: address.bits, port: 0)]?.reactor
    }

    func link(from: String, to: String) -> SimulatedLink {
        let way = Way(from: from, to: to)
        if let link = links[way] { return link }
        let link = SimulatedLink(from: from, to: to, seed: seed, faultSwitch: faultSwitch)
        links[way] = link
        prepare(link, way)
        return link
    }

    /// The way of datagrams from one host to another.
    func datagramWay(from: String, to: String) -> DatagramWay {
        let way = Way(from: from, to: to)
        if let known = datagramWays[way] { return known }
        let made = DatagramWay(link(from: from, to: to).datagramPath())
        datagramWays[way] = made
        return made
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
        for rule in rules { rule.remove() }
        for link in links.values.sorted(by: { $0.name < $1.name }) { link.release() }
    }
}

/// What the datagrams from one host to another share.
final class DatagramWay {
    var path: SimulatedPath
    var link: SimulatedLink { path.link }

    init(_ path: SimulatedPath) {
        self.path = path
    }
}

extension IPv4Address {
    static let loopback = IPv4Address(bits: 0x7F00_0001, port: 0)
}
