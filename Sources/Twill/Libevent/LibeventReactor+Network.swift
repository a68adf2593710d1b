/// What connects, listens and is connected, and who keeps it alive.
extension LibeventReactor {
    @discardableResult
    public func listenTCP(on binding: TCPBinding, factory: Factory) throws -> any ListeningPort {
        try serve(ListeningSocket(binding, from: listeningSockets), factory)
    }

    @discardableResult
    public func listenUNIX(on binding: UNIXBinding, factory: Factory) throws -> any ListeningPort {
        try serve(ListeningSocket(binding, from: listeningSockets), factory)
    }

    @discardableResult
    public func adoptStreamPort(_ descriptor: CInt, factory: Factory) throws -> any ListeningPort {
        try serve(ListeningSocket(adopting: descriptor, from: listeningSockets), factory)
    }

    public func adoptStreamConnection(_ descriptor: CInt, factory: Factory) throws {
        let socket = try Socket(adopting: descriptor)
        let peer = socket.peerAddress
        guard let handler = try factory.protocolForConnection(from: peer) else { return socket.close() }
        outgoing.count { $0.connected += 1 }
        let transport = SocketTransport(
            loop: self, socket: socket, peer: peer, settings: SocketTransport.Settings(TransportOptions(), counters: outgoing))
        try serve(transport, handler)
    }

    private func serve(_ socket: ListeningSocket, _ factory: Factory) throws -> SocketListener {
        let ports = try SocketListener.serve(socket, on: self, factory: factory)
        listeners += ports
        retireClosedPorts()
        portSettings.append(ports[0].settings)
        return ports[0]
    }

    @discardableResult
    public func connectTCP(to target: TCPTarget, factory: ClientFactory) throws -> Connector {
        try connect(to: DialTarget(target), factory)
    }

    @discardableResult
    public func connectUNIX(to target: UNIXTarget, factory: ClientFactory) throws -> Connector {
        try connect(to: DialTarget(target), factory)
    }

    private func connect(to target: DialTarget, _ factory: ClientFactory) throws -> Connector {
        let connector = Connector(reactor: self, destination: target.description, factory: factory) { [unowned self] connector in
            // The connector, which is being asked, keeps the reactor.
            let dialer = SocketDialer(loop: self, target: target, connector: connector)
            dialers.append(dialer)
            dialer.start()
            return { [weak dialer] in dialer?.cancel() }
        }
        try connector.connect()
        return connector
    }

    public func watch(
        _ descriptor: CInt, for readiness: Readiness, _ call: @escaping (Readiness) throws -> Void
    ) throws -> any DescriptorWatch {
        try SocketWatch(loop: self, descriptor: descriptor, readiness: readiness, call: call)
    }

    func forget(_ listener: SocketListener) {
        listeners.removeAll { $0 === listener }
        resting.removeAll { $0 === listener }
    }

    func forget(_ dialer: SocketDialer) {
        dialers.removeAll { $0 === dialer }
    }

    /// Takes a connected transport into care and gives it to its protocol.
    func serve(_ transport: SocketTransport, _ handler: Protocol) throws(SystemError) {
        try transport.startReading()
        let index = Int(transport.socket.descriptor)
        if index >= transports.count {
            transports.append(contentsOf: repeatElement(nil, count: index + 1 - transports.count))
        }
        transports[index] = transport
        openCount += 1
        transport.handler = handler
        transport.noteReceiver()
        transport.counters.count { $0.open += 1 }
        do {
            try handler.makeConnection(transport)
        } catch {
            transport.callbackThrew(error, in: "connectionMade")
        }
    }

    /// Serves an outgoing connection, or tells the factory why not.
    func connected(_ transport: SocketTransport, _ connector: Connector) {
        do {
            if let handler = try connector.buildProtocol(transport.peer, transport: transport) {
                try serve(transport, handler)
                connector.connectionMade()
            } else {
                connector.connectionMade()
                transport.socket.close()
                later { connector.connectionLost(.done) }
            }
        } catch {
            transport.socket.close()
            later { connector.connectionFailed(.failed.to(connector.destination, because: error)) }
        }
    }

    /// Comes back to a transport on the next turn.
    func visitLater(_ transport: SocketTransport) {
        guard !transport.willBeVisited else { return }
        transport.willBeVisited = true
        visits.append(transport)
        hasWork = true
    }

    /// Whether a transport's descriptor is open.
    func keeps(_ transport: SocketTransport) -> Bool {
        let index = Int(transport.socket.descriptor)
        return index < transports.count && transports[index] === transport
    }

    /// Takes a transport out of the table; false where it is out already. It is kept until the turn is over.
    func release(_ transport: SocketTransport) -> Bool {
        guard keeps(transport) else { return false }
        // First into the one, then out of the other: the caller may hold no reference of its own.
        released.append(transport)
        hasReleased = true
        transports[Int(transport.socket.descriptor)] = nil
        openCount -= 1
        // The descriptor is closed before anybody is accepted in its place.
        noteRoom()
        return true
    }

    /// Lets ports accept again that had no room, or no descriptor.
    func noteRoom() {
        if !resting.isEmpty { later { [unowned self] in for listener in resting { listener.resumeIfPossible() } } }
    }

    /// Closes the ports first, so that nobody new comes while the others are told.
    func closeEverything() {
        hasClosedEverything = true
        for listener in listeners {
            listener.stopListening()
        }
        for port in udpPorts {
            port.stopListening()
        }
        for dialer in dialers {
            dialer.cancel()
        }
        for case let transport? in transports {
            transport.apply(.end(.reactorStopped))
        }
        for process in processes.values {
            process.reactorStops()
        }
    }
}
