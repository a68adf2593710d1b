import Logging
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An open datagram port of a host. What it promises is what ``/Twill/DatagramTransport`` says; what it sends is on its own.
///
/// What happens to a datagram on its way is in `SimulatedDatagramPort+Network.swift`.
final class SimulatedDatagramPort: DatagramTransport {
    /// The most that a datagram carries, over IPv4 and over a UNIX socket.
    private static let ipv4BytesMax = 65507
    private static let unixBytesMax = 65535

    // The reactor holds its ports.
    unowned let loop: SimulatedReactor
    private let hostAddress: Address
    /// Whether it hears what is sent to any of the host's addresses.
    let isForAll: Bool
    let reusesPort: Bool
    private let maxPacketSize: Int
    let sendBufferBytes: Int
    private(set) var peerAddress: Address?
    private(set) var groups: Set<IPv4Address> = []
    private(set) var hearsItself = true
    private var handler: DatagramProtocol?
    private var allowsBroadcast: Bool
    private var isOpen = true
    var counters = DatagramStatistics()
    /// Until when the way out is full, where it is.
    var isFull = false

    init(
        _ loop: SimulatedReactor, at host: Address, isForAll: Bool, peer: Address? = nil, reusesPort: Bool = false, maxPacketSize: Int,
        options: DatagramOptions
    ) {
        self.loop = loop
        hostAddress = host
        self.isForAll = isForAll
        self.reusesPort = reusesPort
        self.maxPacketSize = max(1, min(maxPacketSize, Self.unixBytesMax))
        sendBufferBytes = max(1, options.sendBufferBytes ?? 212_992)
        peerAddress = peer
        allowsBroadcast = options.broadcastAllowed
        super.init()
    }

    /// Gives the port to its protocol, and closes it where that won't start.
    func start(_ handler: DatagramProtocol) throws {
        self.handler = handler
        do {
            try handler.makeConnection(self)
        } catch {
            self.handler = nil
            stopListening()
            throw error
        }
    }

    override var reactor: any Reactor { loop }
    override var host: Address { hostAddress }
    override var peer: Address? { peerAddress }
    override var isListening: Bool { isOpen }
    override var statistics: DatagramStatistics { counters }

    override var broadcastAllowed: Bool {
        get { allowsBroadcast }
        set { if isOpen { allowsBroadcast = newValue } }
    }

    var isUNIX: Bool {
        if case .unix = hostAddress { true } else { false }
    }

    // Sending.

    override func write(_ data: Span<UInt8>, to address: Address) throws(DatagramError) {
        guard isOpen else { return }
        try check(address, data.count)
        if let peerAddress, address != peerAddress { throw .alreadyConnected(to: peerAddress, not: address) }
        send(Array(copying: data), to: address)
    }

    override func write(_ data: Span<UInt8>) throws(DatagramError) {
        guard isOpen else { return }
        guard let peerAddress else { throw .notConnected(data.count, from: host) }
        try check(peerAddress, data.count)
        send(Array(copying: data), to: peerAddress)
    }

    /// Throws where the port can't send so many bytes to the address.
    private func check(_ address: Address, _ count: Int) throws(DatagramError) {
        let max = isUNIX ? Self.unixBytesMax : Self.ipv4BytesMax
        switch address {
        case .ipv4(let ipv4):
            guard !isUNIX else { throw .wrongFamily(address, from: host) }
            guard ipv4.port != 0 else { throw .noPort(address) }
            guard ipv4.bits != .max || allowsBroadcast else { throw .broadcastNotAllowed(address) }
        case .unix(let path):
            guard isUNIX else { throw .wrongFamily(address, from: host) }
            guard !path.isEmpty else { throw .noName(from: host) }
            guard path.utf8.count <= Address.pathBytesMax else {
                throw .failed(address, because: SystemError(call: "sendmsg", errno: ENAMETOOLONG))
            }
        case .ipv6, .pipe, .unknown: throw .wrongFamily(address, from: host)
        }
        guard count <= max else { throw .tooLong(count, max: max, to: address) }
    }

    override func connect(to address: Address) throws(DatagramError) {
        guard isOpen else { return }
        if let peerAddress { throw .alreadyConnected(to: peerAddress, not: address) }
        try check(address, 0)
        peerAddress = address
    }

    // Groups.

    override func joinGroup(_ group: String, interface: String) throws(DatagramError) {
        let address = try checkedGroup(group)
        guard isOpen else { return }
        guard groups.insert(address).inserted else {
            throw .failed("join the group \(group)", because: SystemError(call: "setsockopt", errno: EADDRINUSE))
        }
    }

    override func leaveGroup(_ group: String, interface: String) throws(DatagramError) {
        let address = try checkedGroup(group)
        guard isOpen else { return }
        guard groups.remove(address) != nil else {
            throw .failed("leave the group \(group)", because: SystemError(call: "setsockopt", errno: EADDRNOTAVAIL))
        }
    }

    private func checkedGroup(_ text: String) throws(DatagramError) -> IPv4Address {
        guard case .ipv4(let address)? = Address(host: text, port: 0), address.isMulticast else { throw .invalidGroup(text) }
        guard !isUNIX else { throw .wrongFamilyOfGroup(text, on: host) }
        return address
    }

    override func setTTL(_ hops: Int) throws(DatagramError) {
        guard (0...255).contains(hops) else { throw .invalidHopLimit(hops) }
    }

    override func setLoopback(_ isOn: Bool) throws(DatagramError) { hearsItself = isOn }

    override func setOutgoingInterface(_ interface: String) throws(DatagramError) {
        let own = ["", IPv4Address.loopback.host, loop.address.host, "lo"]
        guard own.contains(interface) else { throw .invalidInterface(interface) }
    }

    // What arrives.

    /// Whether what is sent to this address comes here.
    func serves(_ target: Address) -> Bool {
        if isUNIX { return target == hostAddress }
        guard case .ipv4(let wanted) = target, wanted.port == hostAddress.port else { return false }
        if wanted.bits == .max { return true }
        if wanted.isMulticast { return groups.contains(IPv4Address(bits: wanted.bits, port: 0)) }
        return isForAll || wanted.host == hostAddress.host
    }

    /// A datagram has arrived.
    func receive(_ bytes: [UInt8], from sender: Address) {
        guard isOpen, loop.isRunning, peerAddress == nil || peerAddress == sender else { return }
        if bytes.count > maxPacketSize {
            counters.truncated += 1
            let beginning = bytes[..<maxPacketSize]
            call("datagramTruncated") { try $0.datagramTruncated(beginning.span, from: sender) }
        } else {
            counters.received += 1
            counters.bytesReceived += bytes.count
            call("datagramReceived") { try $0.datagramReceived(bytes.span, from: sender) }
        }
    }

    /// The peer's host has answered that nobody listens there.
    func refused() {
        guard peerAddress != nil else { return }
        counters.refused += 1
        call("connectionRefused") { try $0.connectionRefused() }
    }

    /// The system did not take a datagram.
    func failed(_ error: DatagramError) {
        counters.failed += 1
        call("sendingFailed") { try $0.sendingFailed(error) }
    }

    func call(_ name: String, _ body: (DatagramProtocol) throws -> Void) {
        guard isOpen, let handler else { return }
        loop.perform {
            do {
                try body(handler)
            } catch {
                guard !(error is Rejection) else { return }
                loop.logger.error("\(handler.logPrefix).\(name) threw: \(error)")
            }
        }
    }

    // Closing.

    override func stopListening() {
        guard isOpen else { return }
        isOpen = false
        loop.datagramPorts.removeAll { $0 === self }
        loop.later { [self] in
            guard let handler else { return }
            self.handler = nil
            do {
                try handler.doStop()
            } catch {
                loop.logger.error("\(handler.logPrefix).stopProtocol threw: \(error)")
            }
        }
    }

    /// Its process is gone; nobody is told.
    func die() {
        isOpen = false
        handler = nil
    }
}

extension IPv4Address {
    var isMulticast: Bool { bits >> 28 == 0xE }
}
