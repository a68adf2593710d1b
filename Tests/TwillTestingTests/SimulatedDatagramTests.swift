import Testing
import Twill
import TwillTesting

/// Keeps what it hears.
private class Listener: DatagramProtocol {
    private(set) var heard: [String] = []
    private(set) var senders: [Address] = []
    private(set) var events: [String] = []
    override func startProtocol() throws { events.append("start") }
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        heard.append(String(repairing: data))
        senders.append(sender)
    }
    override func datagramTruncated(_ beginning: Span<UInt8>, from sender: Address) throws { events.append("truncated \(beginning.count)") }
    override func connectionRefused() throws { events.append("refused") }
    override func sendBufferFilled() throws { events.append("full") }
    override func sendBufferDrained() throws { events.append("drained") }
    override func sendingFailed(_ error: DatagramError) throws { events.append("failed \(error.errno ?? 0)") }
    override func stopProtocol() throws { events.append("stop") }
}

private final class Echo: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws { try transport.write(data, to: sender) }
}

@Suite("Simulated datagrams")
struct SimulatedDatagramTests {
    let network = SimulatedNetwork()

    private var server: Address { .ipv4(network.host("server").address).with(port: 7) }

    private func client(_ handler: Listener = Listener()) throws -> Listener {
        try network.host("client").listenUDP(port: 0, protocol: handler)
        return handler
    }

    @Test func aDatagramIsEchoed() throws {
        let port = try network.host("server").listenUDP(port: 7, protocol: Echo())
        #expect(port.host == server && port.isListening)
        let client = try client()
        try client.transport.write("hello", to: server)
        try client.transport.write("", to: server)
        #expect(client.heard.isEmpty)
        try network.run(for: .seconds(1))
        #expect(client.heard == ["hello", ""])
        #expect(client.senders == [server, server])
        #expect(client.transport.statistics.sent == 2 && client.transport.statistics.bytesSent == 5)
        #expect(port.statistics.received == 2)
        try network.stop()
        #expect(client.events == ["start", "stop"])
        #expect(!port.isListening)
    }

    @Test func aConnectedPortHearsItsPeerAloneAndThatNobodyListens() throws {
        let client = try client()
        try client.transport.connect(to: server)
        #expect(client.transport.peer == server)
        try client.transport.write("anybody?")
        try network.run(for: .seconds(1))
        #expect(client.events == ["start", "refused"])
        try network.host("server").listenUDP(port: 7, protocol: Echo())
        let other = Listener()
        try network.host("other").listenUDP(port: 9, protocol: other)
        try other.transport.write("me too", to: client.transport.host)
        try client.transport.write("now?")
        try network.run(for: .seconds(1))
        #expect(client.heard == ["now?"])
        #expect(throws: DatagramError.alreadyConnected) { try client.transport.write("x", to: other.transport.host) }
        #expect(throws: DatagramError.alreadyConnected) { try client.transport.connect(to: server) }
        try network.stop()
    }

    @Test func whatCanNotBeSentIsAnErrorAtOnce() throws {
        let client = try client()
        func error(_ body: () throws -> Void) -> DatagramError? {
            do { try body() } catch { return error as? DatagramError }
            return nil
        }
        #expect(error { try client.transport.write("x") } == .notConnected)
        #expect(error { try client.transport.write([UInt8](repeating: 0, count: 65_508), to: server) } == .tooLong)
        #expect(error { try client.transport.write("x", to: server.with(port: 0)) } == .invalidAddress)
        #expect(error { try client.transport.write("x", to: .unix("/a")) } == .invalidAddress)
        #expect(error { try client.transport.write("x", to: .broadcast(port: 7)) } == .broadcastNotAllowed)
        #expect(error { try client.transport.joinGroup("10.0.0.1") } == .invalidGroup)
        #expect(error { try client.transport.setTTL(256) } == .invalidValue)
        #expect(error { try client.transport.setOutgoingInterface("eth9") } == .invalidInterface)
        #expect(error { try client.transport.leaveGroup("224.0.0.1") } == .failed)
        #expect(throws: ListenError.addressInUse) {
            try network.host("client").listenUDP(port: Int(client.transport.host.port ?? 0), protocol: Listener())
        }
        #expect(throws: ListenError.badAddress) { try network.host("client").listenUDP(port: 70_000, protocol: Listener()) }
        #expect(throws: ListenError.addressNotAvailable) {
            try network.host("client").listenUDP(port: 1, protocol: Listener(), interface: "192.168.0.1")
        }
        #expect(throws: DatagramError.protocolInUse) { try network.host("client").listenUDP(port: 0, protocol: client) }
        try network.stop()
    }

    @Test func aDatagramThatIsTooLongIsCutOff() throws {
        let receiver = Listener()
        try network.host("server").listenUDP(port: 7, protocol: receiver, maxPacketSize: 10)
        let client = try client()
        try client.transport.write("0123456789", to: server)
        try client.transport.write("0123456789A", to: server)
        try network.run(for: .seconds(1))
        #expect(receiver.heard == ["0123456789"])
        #expect(receiver.events == ["start", "truncated 10"])
        #expect(receiver.transport.statistics.truncated == 1)
        try network.stop()
    }

    @Test func groupsAndBroadcastsReachAllMembers() throws {
        var members: [Listener] = []
        for name in ["a", "b", "c"] {
            let member = Listener()
            try network.host(name).listenUDP(port: 7, protocol: member)
            members.append(member)
        }
        for member in members.prefix(2) { try member.transport.joinGroup("224.1.2.3") }
        try #require(throws: DatagramError.failed) { try members[0].transport.joinGroup("224.1.2.3") }
        let group = try #require(Address(host: "224.1.2.3", port: 7))
        try members[0].transport.write("group", to: group)
        try members[0].transport.setLoopback(false)
        try network.run(for: .seconds(1))
        #expect(members.map(\.heard) == [["group"], ["group"], []])
        try members[1].transport.leaveGroup("224.1.2.3")
        members[2].transport.broadcastAllowed = true
        try members[2].transport.write("all", to: .broadcast(port: 7))
        try members[2].transport.write("nobody but one", to: group)
        try network.run(for: .seconds(1))
        #expect(members.map(\.heard) == [["group", "all", "nobody but one"], ["group", "all"], ["all"]])
        try network.stop()
    }

    @Test func datagramsAreLostDoubledAndOvertaken() throws {
        let receiver = Listener()
        try network.host("server").listenUDP(port: 7, protocol: receiver)
        let client = try client()
        func send(_ change: (inout FaultPlan) -> Void) throws -> [Int] {
            var plan = FaultPlan.none
            change(&plan)
            network.faults = plan
            let before = receiver.heard.count
            for number in 0..<100 { try client.transport.write("\(number)", to: server) }
            try network.run(for: .seconds(60))
            return receiver.heard[before...].compactMap { Int($0) }
        }
        #expect(try send { _ in } == Array(0..<100))
        let rest = try send { $0.losses = 500_000 }
        #expect((20...80).contains(rest.count) && rest == rest.sorted())
        let doubled = try send { $0.duplicates = 500_000 }
        #expect((120...180).contains(doubled.count) && Set(doubled).count == 100)
        let late = try send { $0.reorderings = 500_000 }
        #expect(late.count == 100 && late != late.sorted())
        try network.stop()
    }

    @Test func aPartitionLosesDatagramsAndARuleMayHoldThem() throws {
        let receiver = Listener()
        try network.host("server").listenUDP(port: 7, protocol: receiver)
        let client = try client()
        network.partition("client", "server")
        try client.transport.write("lost", to: server)
        try network.run(for: .seconds(1))
        network.heal()
        let hold = network.rule { $0.kind == .datagram && $0.bytes.first == UInt8(ascii: "h") ? .hold : .pass }
        let drop = network.rule { $0.bytes.first == UInt8(ascii: "d") ? .drop : .pass }
        for text in ["held", "dropped", "passed"] { try client.transport.write(text, to: server) }
        try network.run(for: .seconds(1))
        #expect(receiver.heard == ["passed"])
        hold.remove()
        drop.remove()
        try network.run(for: .seconds(1))
        #expect(receiver.heard == ["passed", "held"])
        try network.stop()
    }

    @Test func aSlowLinkDropsWhatItsBufferHasNoRoomFor() throws {
        network.conditions.bytesPerSecond = 1_000
        let receiver = Listener()
        try network.host("server").listenUDP(port: 7, protocol: receiver)
        let client = Listener()
        var options = DatagramOptions()
        options.sendBufferBytes = 2_000
        try network.host("client").listenUDP(port: 0, protocol: client, options: options)
        for _ in 0..<10 { try client.transport.write([UInt8](repeating: 1, count: 500), to: server) }
        try network.run(for: .seconds(60))
        #expect(client.transport.statistics.dropped == 5 && receiver.heard.count == 5)
        #expect(client.events == ["start", "full", "drained"])
        try client.transport.write("again", to: server)
        try network.run(for: .seconds(60))
        #expect(receiver.heard.last == "again")
        try network.stop()
    }

    @Test func unixDatagramsStayOnTheirHost() throws {
        let host = network.host("server")
        #expect(throws: DatagramError.failed) { try host.connectUNIXDatagram(path: "/tmp/s", protocol: Listener()) }
        try host.listenUNIXDatagram(path: "/tmp/s", protocol: Echo())
        #expect(throws: ListenError.addressInUse) { try host.listenUNIXDatagram(path: "/tmp/s", protocol: Echo()) }
        let client = Listener()
        let port = try host.connectUNIXDatagram(path: "/tmp/s", protocol: client, bindPath: "/tmp/c")
        try client.transport.write("hello")
        try network.run(for: .seconds(1))
        #expect(client.heard == ["hello"] && client.senders == [.unix("/tmp/s")])
        let nameless = Listener()
        try host.connectUNIXDatagram(path: "/tmp/c", protocol: nameless)
        try nameless.transport.write("who am I")
        try network.run(for: .seconds(1))
        #expect(client.heard == ["hello"], "a connected socket hears its peer alone")
        port.stopListening()
        try nameless.transport.write("gone")
        try network.run(for: .seconds(1))
        #expect(nameless.events == ["start", "failed 111"])
        try network.stop()
    }

    @Test func reusedPortsShareTheSenders() throws {
        let listeners = [Listener(), Listener()]
        for listener in listeners { try network.host("server").listenUDP(port: 7, protocol: listener, reusePort: true) }
        for _ in 0..<20 { try client().transport.write("x", to: server) }
        try network.run(for: .seconds(1))
        #expect(listeners.allSatisfy { $0.heard.count > 2 } && listeners.reduce(0) { $0 + $1.heard.count } == 20)
        try network.stop()
    }

    @Test func aPortThatIsLeftIsNamed() throws {
        try network.host("server").listenUDP(port: 7, protocol: Echo())
        #expect(network.leftovers == ["server: the datagram port 10.0.0.1:7"])
        try network.stop()
        #expect(network.leftovers.isEmpty)
    }

    @Test func datagramsOfAKilledProcessAreRefused() throws {
        try network.boot("server") { try $0.listenUDP(port: 7, protocol: Echo()) }
        let client = try client()
        try client.transport.connect(to: server)
        network.crash("server")
        try client.transport.write("?")
        try network.run(for: .seconds(1))
        #expect(client.events == ["start", "refused"])
        try network.restart("server")
        try client.transport.write("back")
        try network.run(for: .seconds(1))
        #expect(client.heard == ["back"])
        network.crash("server", by: .blackout)
        try client.transport.write("silence")
        try network.run(for: .seconds(1))
        #expect(client.events == ["start", "refused"])
        try network.stop()
    }
}
