import CLibevent
import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An open UDP port: takes a batch of datagrams at a time from its socket, and sends what was gathered in the reactor's stage.
///
/// The reactor's list keeps it alive while its descriptor is open, so that libevent's callbacks and the stage may reach it without counting
/// references; one that was closed stays alive until no callback can be running in it.
///
/// What arrives is in `UDPPort+Receiving.swift`, and what the system refuses in `UDPPort+Failures.swift`.
@safe
final class UDPPort: DatagramTransport {
    /// The most that a datagram carries: 65535 bytes less the headers of UDP and, in IPv4, those of IP.
    private static let ipv4BytesMax = 65507
    private static let ipv6BytesMax = 65527
    /// What the reactor's stage has room for.
    private static let unixBytesMax = 65535

    let loop: LibeventReactor
    let socket: UDPSocket
    let isIPv6: Bool
    let intake: UDPIntake
    let maxPacketSize: Int
    let datagramsPerTurn: Int
    private(set) var hostAddress: Address
    private(set) var peerAddress: Address?

    private(set) var heldHandler = HeldReference<DatagramProtocol>(nil)
    private(set) var isOpen = true
    /// More sockets at the same address, taken over from a process that had more: what arrives there comes to the same protocol, which answers by this
    /// one.
    var companions: [UDPPort] = []
    /// Whether it takes datagrams no more.
    var isDeaf = false
    private var allowsBroadcast: Bool
    /// What goes with a UNIX socket.
    private let file: UNIXSocketFile?
    var readEvent: Event?
    /// Whether the loop asks for datagrams without waiting for them.
    var isFlooded = false
    var counters = DatagramStatistics()

    /// As many datagrams of one size to one address are sent in one piece, which costs the system a third less; fewer are not worth the search.
    static let runLengthMin = 4
    /// The longest datagrams that are sent so: until the system refuses some, those that a packet of 1500 bytes has room for; 0 for none.
    var runSizeMax: Int

    // Of what the system refuses.
    var writeEvent: Event?
    /// Whether the system had no room lately, so that writes are dropped.
    var isFull = false
    /// What the protocol has still to be told.
    var notices = Notices()
    var errorLog = LogQuota(10, each: .seconds(1))
    var truncationLog = LogQuota(1, each: .seconds(60))
    var failureLog = LogQuota(1, each: .seconds(60))
    var fullLog = LogQuota(1, each: .seconds(60))

    init(
        loop: LibeventReactor, socket: UDPSocket, host: Address, peer: Address?, file: UNIXSocketFile?, binding: UDPBinding
    ) throws(SystemError) {
        self.loop = loop
        self.socket = socket
        self.file = file
        isIPv6 = socket.family == .ipv6 || socket.family == .dual
        intake = loop.sharedIntake()
        runSizeMax = twill_can_send_runs(socket.descriptor) != 0 ? 1452 : 0
        maxPacketSize = max(1, min(binding.maxPacketSize, UDPIntake.sizeMax))
        datagramsPerTurn = max(1, min(binding.options.datagramsPerTurn, UDPBatch.countMax))
        hostAddress = host
        peerAddress = peer
        allowsBroadcast = binding.options.broadcastAllowed
        super.init()
        let event = unsafe try Event(
            base: loop.base, descriptor: socket.descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                unsafe UDPPort.withContext(context) { _ = $0.receive() }
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        readEvent = consume event
    }

    deinit {
        heldHandler.release()
    }

    /// Gives the port to its protocol, and closes it where that won't start.
    func start(_ handler: DatagramProtocol) throws {
        heldHandler = HeldReference(handler)
        do {
            try handler.makeConnection(self)
            for companion in companions where companion.isOpen { companion.heldHandler = HeldReference(handler) }
        } catch {
            heldHandler.release()
            heldHandler = HeldReference(nil)
            stopListening()
            throw error
        }
    }

    override var reactor: any Reactor { loop }

    /// The protocol, until it was told of the end.
    var handler: DatagramProtocol? { heldHandler.object }

    override var host: Address { hostAddress }

    override var peer: Address? { peerAddress }

    override var isListening: Bool { isOpen }

    override var statistics: DatagramStatistics {
        companions.reduce(into: counters) { sum, companion in
            sum.received += companion.counters.received
            sum.bytesReceived += companion.counters.bytesReceived
            sum.truncated += companion.counters.truncated
        }
    }

    /// Lends the port behind a libevent callback's context.
    @inline(__always)
    static func withContext(_ context: UnsafeMutableRawPointer?, _ body: (UDPPort) -> Void) {
        guard let context = unsafe context else { return }
        // The reactor's list holds the port for as long as its events are in the loop.
        unsafe Unmanaged<UDPPort>.fromOpaque(context)._withUnsafeGuaranteedRef { body($0) }
    }

    // Sending.

    override func write(_ data: Span<UInt8>, to address: Address) throws(DatagramError) {
        guard isOpen else { return }
        try check(address, data.count)
        if let peerAddress {
            guard address == peerAddress else { throw .alreadyConnected(to: peerAddress, not: address) }
            return take(data, to: nil)
        }
        take(data, to: address)
    }

    override func write(_ data: Span<UInt8>) throws(DatagramError) {
        guard isOpen else { return }
        guard let peerAddress else { throw .notConnected(data.count, from: host) }
        let max =
            switch peerAddress {
            case .ipv4: Self.ipv4BytesMax
            case .ipv6: Self.ipv6BytesMax
            case .unix, .pipe, .unknown: Self.unixBytesMax
            }
        guard data.count <= max else { throw .tooLong(data.count, max: max, to: peerAddress) }
        take(data, to: nil)
    }

    @inline(__always)
    private func take(_ data: Span<UInt8>, to address: Address?) {
        guard !isFull else { return counters.dropped += 1 }
        loop.udpStage.append(data, to: address, for: self)
        loop.jobs.hasMore = true
    }

    /// Throws where the port can't send so many bytes to the address.
    @inline(__always)
    private func check(_ address: Address, _ count: Int) throws(DatagramError) {
        switch address {
        case .ipv4(let ipv4):
            guard socket.family == .ipv4 || socket.family == .dual else { throw .wrongFamily(address, from: host) }
            guard ipv4.port != 0 else { throw .noPort(address) }
            guard count <= Self.ipv4BytesMax else { throw .tooLong(count, max: Self.ipv4BytesMax, to: address) }
            guard ipv4.bits != .max || allowsBroadcast else { throw .broadcastNotAllowed(address) }
        case .ipv6(let ipv6):
            guard isIPv6 else { throw .wrongFamily(address, from: host) }
            guard ipv6.port != 0 else { throw .noPort(address) }
            guard count <= Self.ipv6BytesMax else { throw .tooLong(count, max: Self.ipv6BytesMax, to: address) }
        case .unix(let path):
            guard socket.family == .unix else { throw .wrongFamily(address, from: host) }
            guard count <= Self.unixBytesMax else { throw .tooLong(count, max: Self.unixBytesMax, to: address) }
            do throws(SystemError) {
                try unsafe address.withSockaddr { _, _ in }
            } catch {
                throw path.isEmpty ? .noName(from: host) : .failed(address, because: error)
            }
        case .pipe, .unknown:
            throw .wrongFamily(address, from: host)
        }
    }

    override func connect(to address: Address) throws(DatagramError) {
        guard isOpen else { return }
        if let peerAddress { throw .alreadyConnected(to: peerAddress, not: address) }
        try check(address, 0)
        // What was written before goes where it was meant to go.
        loop.udpStage.flush(self)
        do throws(SystemError) {
            peerAddress = try socket.connect(to: address)
        } catch {
            throw error.errno == EACCES ? .broadcastNotAllowed(address, because: error) : .failed(address, because: error)
        }
        hostAddress = socket.socket.localAddress
        for companion in companions { companion.stopListening() }
    }

    // Settings.

    override var broadcastAllowed: Bool {
        get { allowsBroadcast }
        set {
            guard isOpen else { return }
            loop.udpStage.flush(self)
            do throws(SystemError) {
                try socket.allowBroadcast(newValue)
                allowsBroadcast = newValue
            } catch {
                loop.logger.error("Couldn't set whether \(host) may send broadcasts: \(error)")
            }
        }
    }

    override func joinGroup(_ group: String, interface: String) throws(DatagramError) {
        let address = try checkedGroup(group)
        let way = try checkedInterface(interface)
        try set("join the group \(group)\(interface.isEmpty ? "; try to name an interface" : " on \(interface)")") {
            (socket) throws(SystemError) in try socket.joinGroup(address, interface: way)
        }
        // What goes to a group comes to every socket that has joined it, and once is enough.
        for companion in companions { try? companion.socket.leaveGroup(address, interface: way) }
    }

    override func leaveGroup(_ group: String, interface: String) throws(DatagramError) {
        let address = try checkedGroup(group)
        let way = try checkedInterface(interface)
        try set("leave the group \(group)\(interface.isEmpty ? "; name the interface that it was joined on" : " on \(interface)")") {
            (socket) throws(SystemError) in try socket.leaveGroup(address, interface: way)
        }
    }

    override func setTTL(_ hops: Int) throws(DatagramError) {
        guard (0...255).contains(hops) else { throw .invalidHopLimit(hops) }
        try set("set the hop limit of multicast datagrams") { (socket) throws(SystemError) in try socket.setHopLimit(CInt(hops)) }
    }

    override func setLoopback(_ isOn: Bool) throws(DatagramError) {
        try set("set the loopback of multicast datagrams") { (socket) throws(SystemError) in try socket.setLoopback(isOn) }
    }

    override func setOutgoingInterface(_ interface: String) throws(DatagramError) {
        let way = try checkedInterface(interface)
        try set("send multicast datagrams by \(interface)") { (socket) throws(SystemError) in try socket.setOutgoingInterface(way) }
    }

    // Closing.

    /// How many batches are taken at most before others take the rest.
    private static let lastBatchesMax = 64

    override func stopReceiving() {
        for companion in companions { companion.stopReceiving() }
        // Not inside of a callback of another port, whose batch is in the same memory.
        loop.later { [self] in
            var count = 0
            while isOpen, count < Self.lastBatchesMax, receive() { count += 1 }
            isDeaf = true
            isFlooded = false
            loop.floodedPorts.removeAll { $0 === self }
            readEvent?.remove()
        }
    }

    override func stopListening() {
        guard isOpen else { return }
        loop.udpStage.flush(self)
        isOpen = false
        for companion in companions { companion.stopListening() }
        loop.listeningSockets?.closing(socket.descriptor)
        readEvent = nil
        writeEvent = nil
        notices = Notices()
        file?.remove()
        socket.close()
        loop.forget(self)
        // A callback may be running in this port, which the call keeps until then.
        loop.later { [self] in tellStopped() }
    }

    private func tellStopped() {
        guard let handler else { return }
        do {
            if handler.transport === self { try handler.doStop() }
        } catch {
            loop.logger.error("\(handler.logPrefix).stopProtocol threw: \(error)")
        }
        heldHandler.release()
        heldHandler = HeldReference(nil)
    }
}
