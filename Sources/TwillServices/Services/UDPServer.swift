import Logging
public import Twill

/// A UDP port and the protocol that it serves.
///
/// ```swift
/// final class Reflector: DatagramProtocol {
///     override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws { try transport.write(data, to: sender) }
/// }
/// try services.add(UDPServer(port: 8007) { Reflector() })
/// ```
///
/// The port is opened by `privilegedStartService`; what arrives before the reactor runs waits in the system. Stopping closes it, after what the system
/// would not take yet was dropped. A drain changes nothing, unless the next process has taken over: then the datagrams that come from now on are that
/// one's. It may be started again, with another protocol. On several reactors each has a socket of its own at the port, over
/// which the system spreads the senders; port 0 takes the same free port for all.
///
/// Twisted: `UDPServer`.
public final class UDPServer: Service {
    /// Where it listens.
    public let binding: UDPBinding
    /// The port, while it is open.
    public private(set) var transport: DatagramTransport?
    private let makeProtocol: () throws -> DatagramProtocol

    /// Makes a service that listens as `listenUDP` does with the same values.
    public init(
        port: Int, interface: String = "", maxPacketSize: Int = 8192, reusePort: Bool = false, options: DatagramOptions = DatagramOptions(),
        name: String? = nil, _ makeProtocol: @escaping () throws -> DatagramProtocol
    ) {
        binding = UDPBinding(port: port, interface: interface, maxPacketSize: maxPacketSize, reusePort: reusePort, options: options)
        self.makeProtocol = makeProtocol
        super.init(name: name)
    }

    public override var logPrefix: String { name ?? "udp:\(binding.interface):\(binding.port)" }

    public override func privilegedStartService() throws {
        transport = try listening { try reactor.listenUDP(on: binding, protocol: makeProtocol()) }
    }

    public override func startService() throws {
        if let transport { reactor.logger.info("\(logPrefix) listens on \(transport.host)") }
    }

    public override func drainService(deadline: ReactorClock.Instant) throws -> Deferred<Void>? {
        // What was asked before is still answered.
        if sockets?.keepsFiles == true { transport?.stopReceiving() }
        return nil
    }

    public override func stopService() throws -> Deferred<Void>? {
        transport?.stopListening()
        transport = nil
        return nil
    }
}
