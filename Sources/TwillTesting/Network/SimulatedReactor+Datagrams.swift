public import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Datagram ports.
extension SimulatedReactor {
    /// What ``/Twill/Reactor/listenUDP(on:protocol:)`` says, over IPv4.
    @discardableResult
    public func listenUDP(on binding: UDPBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport {
        try handler.checkUnused()
        let (host, isForAll) = try localAddress(interface: binding.interface, port: binding.port)
        var bound = host
        if binding.port == 0 { bound = bound.with(port: takeDatagramPortNumber()) }
        let clashes = datagramPorts.contains { other in
            !other.isUNIX && other.host.port == bound.port && (isForAll || other.isForAll || other.host.host == bound.host)
                && !(other.reusesPort && binding.reusePort)
        }
        if clashes { throw ListenError.addressInUse.on("\(bound)", because: SystemError(call: "bind", errno: EADDRINUSE)) }
        return try serve(
            SimulatedDatagramPort(
                self, at: bound, isForAll: isForAll, reusesPort: binding.reusePort, maxPacketSize: binding.maxPacketSize,
                options: binding.options), handler)
    }

    /// What ``/Twill/Reactor/listenUNIXDatagram(on:protocol:)`` says; the path is a name on this host, and no file.
    @discardableResult
    public func listenUNIXDatagram(on binding: UNIXDatagramBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport {
        try handler.checkUnused()
        if let path = binding.path {
            guard (1...Address.pathBytesMax).contains(path.utf8.count) else { throw ListenError.badPath.on(path) }
            if datagramPorts.contains(where: { $0.serves(.unix(path)) }) {
                throw ListenError.addressInUse.on(path, because: SystemError(call: "bind", errno: EADDRINUSE))
            }
        }
        if let peer = binding.peer, !datagramPorts.contains(where: { $0.serves(.unix(peer)) }) {
            throw DatagramError.failed(.unix(peer), because: SystemError(call: "connect", errno: ENOENT))
        }
        return try serve(
            SimulatedDatagramPort(
                self, at: .unix(binding.path ?? ""), isForAll: false, peer: binding.peer.map { .unix($0) },
                maxPacketSize: binding.maxPacketSize, options: binding.options), handler)
    }

    private func serve(_ port: SimulatedDatagramPort, _ handler: DatagramProtocol) throws -> DatagramTransport {
        datagramPorts.append(port)
        try port.start(handler)
        return port
    }

    private func takeDatagramPortNumber() -> UInt16 {
        repeat {
            nextPortNumber = nextPortNumber == .max ? 49_152 : nextPortNumber + 1
        } while datagramPorts.contains { $0.host.port == nextPortNumber }
        return nextPortNumber
    }

    /// The address of a port that is to be opened, and whether it stands for all that the host has.
    ///
    /// - Throws: ``/Twill/ListenError``, for an interface that is none of this host's.
    func localAddress(interface: String, port: Int) throws(ListenError) -> (Address, isForAll: Bool) {
        let place = "\(interface.isEmpty ? "*" : interface):\(port)"
        guard let wanted = UInt16(exactly: port) else { throw ListenError.badAddress.on(place) }
        let own = Address.ipv4(address)
        guard let host = interface.isEmpty ? own : Address(host: interface, port: 0) else { throw ListenError.badAddress.on(place) }
        guard [own.host, IPv4Address.loopback.host, "0.0.0.0"].contains(host.host) else { throw ListenError.addressNotAvailable.on(place) }
        let isForAll = interface.isEmpty || host.host == "0.0.0.0"
        return ((isForAll ? own : host).with(port: wanted), isForAll)
    }
}
