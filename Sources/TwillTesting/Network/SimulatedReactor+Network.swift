public import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What connects, listens and is connected, and who keeps it alive.
extension SimulatedReactor {
    /// How long a host waits before it knocks again where nobody has had room for it.
    private static let pauseBeforeRetry = Duration.seconds(1)

    /// What ``/Twill/Reactor/listenTCP(on:factory:)`` says. Two ports of one number must differ in their interface.
    @discardableResult
    public func listenTCP(on binding: TCPBinding, factory: Factory) throws -> any ListeningPort {
        let place = "\(binding.interface.isEmpty ? "*" : binding.interface):\(binding.port)"
        let (host, isForAll) = try localAddress(interface: binding.interface, port: binding.port)
        let port = host.port.flatMap { $0 == 0 ? nil : $0 } ?? takePortNumber()
        let bound = host.with(port: port)
        let clashes = [Address.ipv4(address), .ipv4(.loopback)].contains { candidate in
            (isForAll || candidate.host == host.host) && ports.contains { $0.serves(candidate.with(port: port)) }
        }
        if clashes { throw ListenError.addressInUse.on(place, because: SystemError(call: "bind", errno: EADDRINUSE)) }
        return try open(SimulatedPort(self, at: bound, only: isForAll ? nil : host.host, factory: factory, binding: binding))
    }

    @discardableResult
    public func connectTCP(to target: TCPTarget, factory: ClientFactory) throws -> Connector {
        let place: SimulatedDialer.Place =
            if let port = UInt16(exactly: target.port), port > 0 {
                Address(host: target.host, port: port).map { .address($0) } ?? .name(target.host, port)
            } else {
                .invalid
            }
        return try connect(place, target.description, from: target.bindAddress, target.options, target.timeout, factory)
    }

    /// What ``/Twill/Reactor/listenUNIX(on:factory:)`` says; the path is a name on this host, and no file.
    @discardableResult
    public func listenUNIX(on binding: UNIXBinding, factory: Factory) throws -> any ListeningPort {
        guard (1...Address.pathBytesMax).contains(binding.path.utf8.count) else { throw ListenError.badPath.on(binding.path) }
        let address = Address.unix(binding.path)
        if ports.contains(where: { $0.serves(address) }) {
            throw ListenError.addressInUse.on(binding.path, because: SystemError(call: "bind", errno: EADDRINUSE))
        }
        var settings = TCPBinding(port: 0, backlog: binding.backlog, connectionsMax: binding.connectionsMax, options: binding.options)
        settings.acceptsPerTurn = binding.acceptsPerTurn
        return try open(SimulatedPort(self, at: address, only: nil, factory: factory, binding: settings))
    }

    @discardableResult
    public func connectUNIX(to target: UNIXTarget, factory: ClientFactory) throws -> Connector {
        try connect(.address(.unix(target.path)), target.path, from: nil, target.options, target.timeout, factory)
    }

    private func open(_ port: SimulatedPort) -> SimulatedPort {
        ports.append(port)
        counters.append(port.counters)
        return port
    }

    private func connect(
        _ place: SimulatedDialer.Place, _ description: String, from local: Address?, _ options: TransportOptions, _ timeout: Duration,
        _ factory: ClientFactory
    ) throws -> Connector {
        let connector = Connector(reactor: self, destination: description, factory: factory) { [unowned self] connector in
            // The connector, which is being asked, keeps the reactor.
            let dialer = SimulatedDialer(
                loop: self, place: place, from: local, options: options, timeout: timeout, connector: connector)
            dialers.append(dialer)
            dialer.start()
            return { [weak dialer] in dialer?.cancel() }
        }
        try connector.connect()
        return connector
    }

    /// Knocks at an address; the dialer is told on a later turn.
    func dial(_ address: Address, from local: Address?, for dialer: SimulatedDialer) -> SimulatedSocket {
        let to = host(at: address)?.name ?? address.host
        let wiring = world.wiring
        let ends = SimulatedSocket.pair(
            in: world, from: localAddress(local, for: address), to: address, over: wiring.link(from: name, to: to),
            back: wiring.link(from: to, to: name))
        if isShortOfDescriptors() {
            later { [weak dialer] in dialer?.refused(ends.client, EMFILE, by: "socket") }
            return ends.client
        }
        knock(from: ends.client, at: ends.server, for: dialer, ends.client.fate())
        return ends.client
    }

    private func knock(
        from client: SimulatedSocket, at server: SimulatedSocket, for dialer: SimulatedDialer, _ fate: FaultDraws.Attempt
    ) {
        if case .hangs = fate { return }
        client.send { [weak dialer] in
            // As long as somebody waits for the answer, the reactor is there.
            guard let dialer, !dialer.isOver else { return }
            let loop = dialer.loop
            if loop.world.wiring.isDark(client.path.link.to) { return }
            guard let target = loop.host(at: client.remote) else {
                return server.send { [weak dialer] in dialer?.refused(client, EHOSTUNREACH) }
            }
            let port = target.ports.first { $0.serves(client.remote) }
            guard let port, fate != .refused else {
                return server.send { [weak dialer] in dialer?.refused(client, loop.refusal(of: client.remote)) }
            }
            guard port.hasBacklogRoom else {
                return loop.world.after(Self.pauseBeforeRetry) { [weak dialer] in
                    if let dialer, !dialer.isOver { dialer.loop.knock(from: client, at: server, for: dialer, fate) }
                }
            }
            client.join(server)
            server.send { [weak dialer] in
                guard let dialer, !dialer.isOver else { return client.reset() }
                // The acknowledgement goes first, as it does on a real network, before what the client says at once.
                client.send {
                    port.offer(server)
                    if fate == .reset { server.sever(.reset) }
                }
                dialer.connected(client)
            }
        }
    }

    /// What a system says where nobody listens.
    private func refusal(of address: Address) -> CInt {
        if case .unix = address { ENOENT } else { ECONNREFUSED }
    }

    func host(at address: Address) -> SimulatedReactor? {
        switch address {
        case .unix: self
        case .ipv4(let address) where address.bits >> 24 == 127: self
        default: world.wiring.host(at: address)
        }
    }

    private func localAddress(_ wanted: Address?, for target: Address) -> Address {
        switch target {
        case .unix: return .unix("")
        case .ipv4(let target) where target.bits >> 24 == 127: return wanted ?? .ipv4(.loopback).with(port: takePortNumber())
        default: return wanted ?? .ipv4(address).with(port: takePortNumber())
        }
    }

    /// Whether the host has no descriptor left, which may begin now.
    func isShortOfDescriptors() -> Bool {
        if now < shortageEnd { return true }
        let plan = world.wiring.faults
        guard draws.happens(.descriptorShortages, perMillion: plan.descriptorShortages) else { return false }
        let length = draws.random.duration(upTo: plan.slownessMax)
        note(.noDescriptor, Int(length.nanoseconds))
        shortageEnd = now.advanced(by: length)
        return true
    }

    /// Takes a connected transport into care and gives it to its protocol.
    func serve(_ transport: SimulatedTransport, _ handler: Protocol) {
        keep(transport)
        transport.socket.reader = transport
        transport.handler = handler
        transport.counters.count { $0.open += 1 }
        transport.begin(handler)
        // What arrived before it was accepted.
        visitLater(transport)
    }

    /// Serves an outgoing connection, or tells the factory why not.
    func connected(_ socket: SimulatedSocket, _ options: TransportOptions, _ connector: Connector) {
        outgoing.count { $0.connected += 1 }
        let transport = SimulatedTransport(loop: self, socket: socket, options: options, counters: outgoing, connector: connector)
        do {
            if let handler = try connector.buildProtocol(socket.remote, transport: transport) {
                serve(transport, handler)
                connector.connectionMade()
            } else {
                connector.connectionMade()
                socket.close()
                later { connector.connectionLost(.done) }
            }
        } catch {
            socket.close()
            later { connector.connectionFailed(.failed.to(connector.destination, because: error)) }
        }
    }

    public var statistics: ReactorStatistics {
        var statistics = ReactorStatistics()
        for counters in counters { statistics.connections.add(counters.current) }
        statistics.connections.unsentBytes = transports.reduce(0) { $0 + ($1?.bufferedByteCount ?? 0) }
        return statistics
    }

    func forget(_ port: SimulatedPort) {
        ports.removeAll { $0 === port }
    }

    func forget(_ dialer: SimulatedDialer) {
        dialers.removeAll { $0 === dialer }
    }

    /// Closes the ports first, so that nobody new comes while the others are told.
    func closeEverything() {
        for port in ports { port.stopListening() }
        for port in datagramPorts { port.stopListening() }
        for dialer in dialers { dialer.cancel() }
        for case let transport? in transports { transport.apply(.end(.reactorStopped)) }
    }
}
