/// UDP ports, and the memory that they share.
extension LibeventReactor {
    @discardableResult
    public func listenUDP(on binding: UDPBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport {
        try handler.checkUnused()
        let (socket, others, host) = try UDPSocket.open(binding, from: listeningSockets)
        return try serve(socket, others, at: host, binding, handler)
    }

    @discardableResult
    public func listenUNIXDatagram(on binding: UNIXDatagramBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport {
        try handler.checkUnused()
        let (socket, file) = try UDPSocket.open(binding)
        let rest = UDPBinding(port: 0, maxPacketSize: binding.maxPacketSize, options: binding.options)
        let peer = binding.peer.map { Address.unix($0) }
        return try serve(socket, at: socket.socket.localAddress, peer: peer, file: file, rest, handler)
    }

    /// Serves a datagram socket that is bound, and closes it in the end, or at once where the protocol won't start.
    ///
    /// - Parameters:
    ///   - others: more sockets at the same address, whose datagrams come to the same protocol.
    ///   - peer: where the socket is connected, if it is.
    ///   - file: what goes with a UNIX socket, if it has a path.
    func serve(
        _ socket: UDPSocket, _ others: [UDPSocket] = [], at host: Address, peer: Address? = nil, file: UNIXSocketFile? = nil,
        _ binding: UDPBinding,
        _ handler: DatagramProtocol
    ) throws -> UDPPort {
        let port: UDPPort
        do {
            port = try UDPPort(loop: self, socket: socket, host: host, peer: peer, file: file, binding: binding)
            for other in others {
                port.companions.append(try UDPPort(loop: self, socket: other, host: host, peer: nil, file: nil, binding: binding))
            }
        } catch {
            file?.remove()
            for unused in [socket] + others { unused.close() }
            throw error
        }
        udpPorts += [port] + port.companions
        try port.start(handler)
        return port
    }

    /// Where datagrams arrive: one for all ports, since each hands on what it has taken before another takes more.
    func sharedIntake() -> UDPIntake {
        if let udpIntake { return udpIntake }
        let made = UDPIntake()
        udpIntake = made
        udpStage.prepare(for: made)
        return made
    }

    func forget(_ port: UDPPort) {
        udpPorts.removeAll { $0 === port }
        floodedPorts.removeAll { $0 === port }
    }

    /// Takes one batch from each port that has had a large one, and waits again for those in which nothing is left.
    func takeFromFloodedPorts() {
        var index = 0
        // A callback may close any port; one that is missed for it has its turn next time.
        while index < floodedPorts.count {
            let port = floodedPorts[index]
            if port.receive() {
                index += 1
            } else {
                if index < floodedPorts.count, floodedPorts[index] === port { floodedPorts.remove(at: index) }
                port.endFlood()
            }
        }
        if !floodedPorts.isEmpty { hasWork = true }
    }
}
