import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What can't be sent, and what it is told.
@Suite("UDP writes that can't be", .nothingLivesOn)
struct DatagramWritingTests {
    static let ipv4 = Address.ipv4(IPv4Address(bits: 0x7F00_0001, port: 9))
    static let ipv6 = Address.ipv6(IPv6Address(high: 0, low: 1, port: 9))

    /// Opens a port, and closes it when the body has had it.
    private func withPort(_ interface: String = "127.0.0.1", _ body: (DatagramTransport) throws -> Void) throws {
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: DatagramRecorder(), interface: interface)
            try body(port)
            #expect(port.isListening)
            reactor.stop()
        }
    }

    /// Where is listened, where nothing can be sent from there, and what the error says.
    static let wrongAddresses: [(String, Address, String)] = [
        ("127.0.0.1", ipv6, "to [::1]:9: that is IPv6, and the port is IPv4"),
        ("0.0.0.0", ipv6, "to [::1]:9: that is IPv6, and the port is IPv4"),
        ("::1", ipv4, "to 127.0.0.1:9: that is IPv4, and the port is IPv6 alone"),
        ("", .unix("/tmp/socket"), "to /tmp/socket: a UDP port sends to IP addresses"),
        ("", .unknown, "to an unknown address: a UDP port sends to IP addresses"),
        ("", .ipv4(IPv4Address(bits: 0x7F00_0001, port: 0)), "to 127.0.0.1:0: nobody can have port 0"),
        ("", .ipv6(IPv6Address(high: 0, low: 1, port: 0)), "to [::1]:0: nobody can have port 0"),
    ]

    @Test(arguments: wrongAddresses)
    func anAddressThatIsNoneForThePortIsNamed(interface: String, address: Address, text: String) throws {
        try withPort(interface) { port in
            for attempt in [{ try port.write("hello", to: address) }, { try port.connect(to: address) }] {
                let error = #expect(throws: DatagramError.self) { try attempt() }
                #expect(error == .invalidAddress)
                #expect(error?.address == address)
                #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
            }
            #expect(port.peer == nil)
        }
    }

    @Test(arguments: [(ipv4, 65507), (ipv6, 65527)])
    func oneByteTooManyIsRefusedWithTheLimitInTheError(address: Address, most: Int) throws {
        try withPort("") { port in
            let error = #expect(throws: DatagramError.self) { try port.write([UInt8](repeating: 1, count: most + 1), to: address) }
            #expect(error == .tooLong)
            #expect(error?.description.contains("send \(most + 1) bytes to \(address)") == true)
            #expect(error?.description.contains("at most \(most)") == true)
            try port.connect(to: address)
            #expect(throws: DatagramError.tooLong) { try port.write([UInt8](repeating: 1, count: most + 1)) }
            #expect(throws: Never.self) { try port.write([UInt8](repeating: 1, count: most)) }
        }
    }

    @Test func writingWithoutAnAddressNeedsAPeer() throws {
        try withPort { port in
            let error = #expect(throws: DatagramError.self) { try port.write("hello") }
            #expect(error == .notConnected)
            #expect(error?.description.contains("Couldn't send 5 bytes from \(port.host): it is not connected") == true)
        }
    }

    @Test func aConnectedPortKnowsItsPeerAlone() throws {
        try withPort { port in
            try port.connect(to: Self.ipv4)
            #expect(port.peer == Self.ipv4)
            let other = Address.ipv4(IPv4Address(bits: 0x7F00_0001, port: 10))
            for attempt in [{ try port.connect(to: other) }, { try port.write("hello", to: other) }, { try port.connect(to: Self.ipv4) }] {
                let error = #expect(throws: DatagramError.self) { try attempt() }
                #expect(error == .alreadyConnected)
                #expect(error?.description.contains("connected to 127.0.0.1:9") == true)
            }
            #expect(throws: Never.self) { try port.write("hello", to: Self.ipv4) }
            #expect(port.peer == Self.ipv4)
        }
    }

    @Test func aBroadcastNeedsPermission() throws {
        try withPort { port in
            let everybody = Address.broadcast(port: 9)
            #expect(everybody.description == "255.255.255.255:9")
            let error = #expect(throws: DatagramError.self) { try port.write("hello", to: everybody) }
            #expect(error == .broadcastNotAllowed)
            #expect(error?.description.contains("255.255.255.255:9") == true && error?.description.contains("set broadcastAllowed") == true)
            #expect(throws: DatagramError.broadcastNotAllowed) { try port.connect(to: everybody) }
            #expect(!port.broadcastAllowed)
            port.broadcastAllowed = true
            #expect(port.broadcastAllowed)
            let descriptor = try #require(port as? UDPPort).socket.descriptor
            #expect(socketOption(descriptor, SOL_SOCKET, SO_BROADCAST) != 0)
            port.broadcastAllowed = false
            #expect(socketOption(descriptor, SOL_SOCKET, SO_BROADCAST) == 0)
        }
    }

    #if os(Linux)
    /// The loopback network's own broadcast address, which only the system knows to be one.
    private static func loopbackBroadcast(_ port: UInt16) -> Address { .ipv4(IPv4Address(bits: 0x7FFF_FFFF, port: port)) }

    @Test func whatOnlyTheSystemCanTellComesLater() throws {
        let log = RecordedLog()
        let recorder = DatagramRecorder()
        let port = try withReactor(log: log) { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let raw = try RawDatagramSocket()
            reactor.callLater(.zero) {
                // Good ones around bad ones: those arrive, and each of these is told.
                try port.write("first", to: raw.address)
                for _ in 0..<2 { try port.write("nobody", to: Self.loopbackBroadcast(9)) }
                try port.write("second", to: raw.address)
                for _ in 0..<30 { try port.write("nobody", to: Self.loopbackBroadcast(9)) }
                #expect(recorder.events == [.started])
            }
            reactor.when {
                recorder.events.count > 1
            } then: {
                let arrived = try raw.receiveTexts(2)
                #expect(arrived == ["first", "second"])
                reactor.stop()
            }
            return port
        }
        #expect(recorder.count(.failed(.broadcastNotAllowed)) == 16, "of one callback the first 16 are told")
        guard case .failed(let error) = recorder.events.dropFirst().first else { throw CallFailure("sendingFailed", 0) }
        #expect(error.address == Self.loopbackBroadcast(9))
        #expect(error.errno == EACCES)
        #expect(port.statistics.sent == 2 && port.statistics.failed == 32)
        #expect(log.count(containing: "broadcasts are off") == 1, "one line a minute: \(log.entries)")
    }

    @Test(arguments: ["127.0.0.1", ""])
    func anAllowedBroadcastArrives(interface: String) throws {
        let raw = try RawDatagramSocket(host: "0.0.0.0")
        var options = DatagramOptions()
        options.broadcastAllowed = true
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: interface, options: options)
            try port.write("everybody", to: Self.loopbackBroadcast(raw.address.port ?? 0))
            reactor.runClient { try #require(try raw.receiveText() == "everybody") }
        }
        #expect(recorder.events == [.started, .stopped])
    }
    #endif

    @Test func theErrorsOfOneKindAreEqualAndTheBareOnesSaySomething() {
        let kinds: [DatagramError] = [
            .invalidAddress, .tooLong, .notConnected, .alreadyConnected, .broadcastNotAllowed, .invalidGroup, .invalidInterface,
            .invalidValue,
            .protocolInUse, .failed,
        ]
        for (index, kind) in kinds.enumerated() {
            #expect(!kind.description.isEmpty)
            for (other, another) in kinds.enumerated() { #expect((kind == another) == (index == other)) }
        }
        let refused = SystemError(call: "sendmsg", errno: ENETUNREACH)
        let error = DatagramError.failed(Self.ipv4, because: refused)
        #expect(error == .failed && error.errno == ENETUNREACH && error.address == Self.ipv4)
        #expect(error.description == "Couldn't send to 127.0.0.1:9: \(refused)")
    }
}
