public import Logging
public import Twill

/// Hosts that are joined by links, all in one virtual time: servers and clients are tested over a network that does the same each time.
///
/// ```swift
/// let network = SimulatedNetwork(seed: 42)
/// try network.host("server").listenTCP(port: 8007, factory: Factory { Echo() })
/// let client = AccumulatingProtocol()
/// try network.host("client").connectTCP(host: "server", port: 8007, factory: ClientFactory { client })
/// try network.run(for: .seconds(1))
/// client.transport.write("hello")
/// try network.run(for: .seconds(1))
/// #expect(client.text == "hello")
/// try network.stop()
/// ```
///
/// # Contract
/// - A host is a ``SimulatedReactor``: protocols, factories, endpoints and tasks run on it unchanged. Its name is what others connect to; `localhost`
///   and `127.0.0.1` are the host itself. UNIX sockets belong to their host, and touch no files.
/// - Connections obey the contract of ``/Twill/Transport``, back-pressure included: what the window does not take waits in the writer's process.
/// - The same seed and the same calls give the same run. What is drawn by chance is drawn for each direction of each connection from numbers of its
///   own, so that one more connection elsewhere changes nothing here.
/// - Everything happens on the thread that lets the time go by.
/// - Not simulated: packets, and what hides below a stream that works; IPv6 between hosts; `SO_REUSEPORT`; descriptors.
public final class SimulatedNetwork {
    /// Where its random numbers begin.
    public let seed: UInt64

    /// For what a scene leaves to chance: when something happens, say. Nothing else draws from it.
    public var random: SimulatedRandom
    /// How often each of the scene's probes was reached; see ``probe(_:)``.
    public internal(set) var probes: [String: Int] = [:]

    let world: SimulatedWorld
    var life = HostLife()
    var buggy: [String: FaultDraws] = [:]
    private let logger: Logger
    private var hosts: [String: SimulatedReactor] = [:]

    /// Makes a network without hosts, whose time begins at zero.
    public convenience init(seed: UInt64 = 1, logger: Logger = Logger(label: "twill")) {
        self.init(seed: seed, FaultSwitch(), logger: logger)
    }

    init(seed: UInt64, _ faults: FaultSwitch, logger: Logger) {
        self.seed = seed
        self.logger = logger
        world = SimulatedWorld(seed: seed, faultSwitch: faults)
        random = SimulatedRandom(seed: seed, name: "scene")
    }

    /// The host of a name, which is made where there is none yet.
    public func host(_ name: String) -> SimulatedReactor {
        hosts[name] ?? replaceHost(name)
    }

    func existingHost(_ name: String) -> SimulatedReactor? { hosts[name] }

    func replaceHost(_ name: String) -> SimulatedReactor {
        let host = SimulatedReactor(world: world, name: name, after: hosts[name], logger: logger)
        hosts[name] = host
        return host
    }

    /// All hosts, in an order that does not depend on a dictionary's.
    var sortedHosts: [SimulatedReactor] { hosts.values.sorted { $0.name < $1.name } }

    /// What a link between two hosts is like that has no conditions of its own. A change holds for what is sent from now on.
    public var conditions: LinkConditions {
        get { world.wiring.conditions }
        set { world.wiring.conditions = newValue }
    }

    /// Sets what the way from one host to another is like; the way back is another one.
    public func setConditions(_ conditions: LinkConditions, from: String, to: String) {
        world.wiring.set(conditions, from: from, to: to)
    }

    /// Gives a name addresses, the first to be tried first; of none, looking it up fails.
    public func setAddresses(_ addresses: [Address], ofName name: String) {
        world.wiring.names[name] = addresses
    }

    /// This moment of the time that all hosts share.
    public var now: ReactorClock.Instant { world.now }

    /// Lets so much time go by on all hosts; see ``SimulatedReactor/run(for:)``.
    public func run(for duration: Duration) throws {
        try run(until: now.advanced(by: max(duration, .zero)))
    }

    /// Lets time go by on all hosts to a moment.
    public func run(until moment: ReactorClock.Instant) throws {
        _ = try world.run(to: moment) { false }
    }

    /// Lets time go by on all hosts until something holds; see ``SimulatedReactor/run(within:until:)``.
    public func run(within limit: Duration, until condition: () throws -> Bool) throws -> Bool {
        try world.run(to: now.advanced(by: limit), until: condition)
    }

    /// Stops every host: ports close, and connections are lost. A test's last step, for connections and their protocols hold each other.
    ///
    /// - Throws: ``SimulationError/nothingLeft`` where a host waits before its shutdown for what never comes.
    public func stop() throws {
        world.invariants = []
        life.programs = [:]
        // One that has not run yet begins to, and ends.
        for host in sortedHosts where host.isRunning || host.isNew { host.stop() }
        _ = try world.run { !self.hosts.values.contains(where: \.isRunning) }
    }
}
