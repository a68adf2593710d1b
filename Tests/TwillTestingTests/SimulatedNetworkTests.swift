import Testing
import Twill
import TwillTesting

private final class Echo: Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

/// A client factory that keeps what it is told.
final class Outcome: ClientFactory {
    private(set) var failure: ConnectError?
    private(set) var loss: ConnectionLost?
    weak var handler: Twill::Protocol?
    override func buildProtocol(_ address: Address) -> Twill::Protocol? { handler }
    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { failure = reason }
    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) { loss = reason }
}

private func factory(_ handler: Twill::Protocol) -> ClientFactory {
    ClientFactory { [weak handler] (_: Address) in handler }
}

@Suite("A simulated network")
struct SimulatedNetworkTests {
    /// A server and a client on two hosts, connected.
    private struct Scene {
        let network: SimulatedNetwork
        let server: AccumulatingProtocol
        let client: AccumulatingProtocol

        init(
            _ network: SimulatedNetwork = SimulatedNetwork(), server: AccumulatingProtocol = AccumulatingProtocol(),
            client: AccumulatingProtocol = AccumulatingProtocol()
        ) throws {
            (self.network, self.server, self.client) = (network, server, client)
            try network.host("server").listenTCP(port: 8007, factory: Factory { [weak server] _ in server })
            try network.host("client").connectTCP(host: "server", port: 8007, factory: factory(client))
            let isConnected = try network.run(within: .seconds(60)) { client.wasMade && server.wasMade }
            #expect(isConnected)
        }
    }

    @Test func aServerAndAClientTalk() throws {
        let network = SimulatedNetwork(seed: 42)
        try network.host("server").listenTCP(port: 8007, factory: Factory { Echo() })
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 8007, factory: factory(client))
        try network.run(for: .seconds(1))
        client.transport.write("hello")
        try network.run(for: .seconds(1))
        #expect(client.text == "hello")
        #expect(client.transport.peer.description == "10.0.0.1:8007")
        #expect(client.transport.host.description == "10.0.0.2:49153")
        try network.stop()
        #expect(client.reason == .reactorStopped)
    }

    @Test func theLatencyOfEachWayCounts() throws {
        let network = SimulatedNetwork()
        network.setConditions(LinkConditions(latency: .milliseconds(30)), from: "client", to: "server")
        network.setConditions(LinkConditions(latency: .milliseconds(5)), from: "server", to: "client")
        try network.host("server").listenTCP(port: 1, factory: Factory { Echo() })
        let client = AccumulatingProtocol()
        let start = network.now
        try network.host("client").connectTCP(host: "server", port: 1, factory: factory(client))
        #expect(try network.run(within: .seconds(1)) { client.wasMade })
        #expect(start.duration(to: network.now) == .milliseconds(35))
        client.transport.write("x")
        #expect(try network.run(within: .seconds(1)) { client.text == "x" })
        #expect(start.duration(to: network.now) == .milliseconds(70))
        try network.stop()
    }

    @Test func bandwidthSpreadsWhatIsSent() throws {
        let scene = try Scene()
        scene.network.conditions = LinkConditions(latency: .zero, bytesPerSecond: 10_000, segmentBytes: 1_000)
        let start = scene.network.now
        scene.client.transport.write([UInt8](repeating: 7, count: 50_000))
        try scene.network.run(until: start.advanced(by: .milliseconds(2_500)))
        #expect(scene.server.data.count == 25_000)
        #expect(scene.server.pieces.allSatisfy { $0 == 1_000 })
        try scene.network.run(until: start.advanced(by: .seconds(5)))
        #expect(scene.server.data.count == 50_000)
        try scene.network.stop()
    }

    @Test func jitterOvertakesNothing() throws {
        let scene = try Scene()
        scene.network.conditions = LinkConditions(latency: .milliseconds(1), jitter: .milliseconds(50))
        let numbers = (0..<200).map { "\($0) " }
        for text in numbers {
            scene.client.transport.write(text)
            try scene.network.run(for: .milliseconds(1))
        }
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == numbers.joined())
        #expect(scene.server.pieces.count > 5)
        try scene.network.stop()
    }

    @Test func aFullWindowPausesTheProducerUntilTheReaderReads() throws {
        final class Teller: Producer {
            var heard: [String] = []
            func pauseProducing() { heard.append("pause") }
            func resumeProducing() { heard.append("resume") }
            func stopProducing() { heard.append("stop") }
        }
        let scene = try Scene()
        let teller = Teller()
        let transport = scene.client.transport
        try transport.registerProducer(teller, streaming: true)
        scene.server.transport.pauseProducing()
        transport.write([UInt8](repeating: 1, count: 300 << 10))
        #expect(transport.bufferedByteCount == 44 << 10)
        #expect(teller.heard.isEmpty)
        transport.write([UInt8](repeating: 2, count: 60 << 10))
        #expect(teller.heard == ["pause"])
        #expect(scene.network.host("client").statistics.connections.unsentBytes == 104 << 10)
        #expect(scene.network.host("client").statistics.connections.pausedProducers == 1)
        try scene.network.run(for: .seconds(10))
        #expect(scene.server.data.isEmpty && teller.heard == ["pause"])
        scene.server.transport.resumeProducing()
        try scene.network.run(for: .seconds(10))
        #expect(scene.server.data.count == 360 << 10)
        #expect(teller.heard == ["pause", "resume"])
        #expect(transport.bufferedByteCount == 0)
        try scene.network.stop()
        #expect(teller.heard == ["pause", "resume", "stop"])
    }

    @Test func aCloseSendsWhatWasWritten() throws {
        let scene = try Scene()
        scene.server.transport.pauseProducing()
        scene.client.transport.write([UInt8](repeating: 1, count: 1 << 20))
        scene.client.transport.loseConnection()
        scene.client.transport.write("dropped")
        try scene.network.run(for: .seconds(1))
        #expect(!scene.client.wasLost)
        scene.server.transport.resumeProducing()
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.data.count == 1 << 20)
        #expect(scene.server.reason == .done)
        #expect(scene.client.reason == .done)
        try scene.network.stop()
    }

    @Test func anAbortIsAResetForThePeer() throws {
        let scene = try Scene()
        scene.server.transport.write("dropped")
        scene.server.transport.abortConnection()
        #expect(!scene.server.wasLost)
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.reason == .aborted)
        #expect(scene.client.reason == .lost)
        #expect(scene.client.reason?.peer == .ipv4(IPv4Address(bits: 0x0A00_0001, port: 8007)))
        #expect(scene.client.data.isEmpty)
        try scene.network.stop()
    }

    @Test func connectingFailsAsItDoesOnARealNetwork() throws {
        let network = SimulatedNetwork()
        _ = network.host("server")
        let client = network.host("client")
        func attempt(_ host: String) throws -> ConnectError? {
            let outcome = Outcome()
            try client.connectTCP(host: host, port: 9, factory: outcome, timeout: .seconds(3))
            #expect(outcome.failure == nil)
            try network.run(for: .seconds(5))
            return outcome.failure
        }
        #expect(try attempt("server") == .refused)
        #expect(try attempt("localhost") == .refused)
        #expect(try attempt("nowhere") == .unknownHost)
        #expect(try attempt("10.9.9.9") == .unreachable)
        network.setConditions(LinkConditions(latency: .seconds(100)), from: "client", to: "server")
        #expect(try attempt("server") == .timedOut)
        try network.stop()
    }

    @Test func namesHaveTheAddressesThatTheTestGivesThem() throws {
        let network = SimulatedNetwork()
        let server = network.host("server")
        try server.listenTCP(port: 80, factory: Factory { Echo() })
        network.setAddresses([Address(host: "10.8.8.8", port: 0), .ipv4(server.address)].compactMap(\.self), ofName: "www")
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "www", port: 80, factory: factory(client))
        try network.run(for: .seconds(1))
        #expect(client.wasMade)
        try network.stop()
    }

    @Test func portsThatAreTakenAreRefused() throws {
        let network = SimulatedNetwork()
        let host = network.host("server")
        let port = try host.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1")
        let number = Int(port.address.port ?? 0)
        #expect(throws: ListenError.addressInUse) { try host.listenTCP(port: number, factory: Factory()) }
        #expect(throws: ListenError.addressNotAvailable) { try host.listenTCP(port: 1, factory: Factory(), interface: "10.5.5.5") }
        #expect(throws: ListenError.badAddress) { try host.listenTCP(port: 70_000, factory: Factory()) }
        // Others reach what listens for all alone.
        let outcome = Outcome()
        try network.host("client").connectTCP(host: "server", port: number, factory: outcome)
        try network.run(for: .seconds(1))
        #expect(outcome.failure == .refused)
        port.stopListening()
        try host.listenTCP(port: number, factory: Factory { Echo() })
        try network.stop()
    }

    @Test func aFullPortLeavesOthersWaiting() throws {
        let network = SimulatedNetwork()
        let host = network.host("server")
        let port = try host.listenTCP(port: 80, factory: Factory { Echo() }, connectionsMax: 1)
        let clients = (0..<3).map { _ in AccumulatingProtocol() }
        for client in clients {
            try network.host("client").connectTCP(host: "server", port: 80, factory: factory(client))
            try network.run(for: .milliseconds(10))
        }
        #expect(clients.allSatisfy { $0.wasMade })
        #expect(port.statistics.accepted == 1)
        clients[1].transport.write("waits")
        clients[0].transport.loseConnection()
        try network.run(for: .seconds(1))
        #expect(port.statistics.accepted == 2)
        #expect(clients[1].text == "waits")
        port.connectionsMax = nil
        try network.run(for: .seconds(1))
        #expect(port.statistics.accepted == 3)
        try network.stop()
    }

    @Test func unixSocketsBelongToTheirHost() throws {
        let network = SimulatedNetwork()
        try network.host("a").listenUNIX(path: "/run/chat", factory: Factory { Echo() })
        let here = AccumulatingProtocol()
        let elsewhere = Outcome()
        try network.host("a").connectUNIX(path: "/run/chat", factory: factory(here))
        try network.host("b").connectUNIX(path: "/run/chat", factory: elsewhere)
        try network.run(for: .seconds(1))
        here.transport.write("hello")
        try network.run(for: .seconds(1))
        #expect(here.text == "hello")
        #expect(elsewhere.failure == .refused)
        #expect(throws: ListenError.addressInUse) { try network.host("a").listenUNIX(path: "/run/chat", factory: Factory()) }
        try network.stop()
    }

    @Test func tasksAndEndpointsRunUnchanged() throws {
        let network = SimulatedNetwork()
        try network.host("server").listen("tcp:8007") { connection in
            for try await line in connection.lines { try await connection.writeLine(line) }
        }
        let heard = LogLines()
        network.host("client").task { reactor in
            let connection = try await reactor.connect("tcp:server:8007")
            for number in 1...3 {
                try await connection.writeLine("line \(number)")
                heard.add(try await connection.lines.next() ?? "the end")
                try await reactor.sleep(for: .seconds(60))
            }
        }
        try network.run(for: .seconds(181))
        #expect(heard.lines == ["line 1", "line 2", "line 3"])
        try network.stop()
    }

    /// When everything arrives that a few clients send at random; `others` is how many more connections there are elsewhere.
    private func arrivals(seed: UInt64, others: Int = 0) throws -> [String] {
        let network = SimulatedNetwork(seed: seed)
        network.conditions = LinkConditions(latency: .milliseconds(1), jitter: .milliseconds(20))
        final class Noting: AccumulatingProtocol {
            var note: ((String) -> Void)?
            override func dataReceived(_ data: Span<UInt8>) {
                note?("\(transport.reactor.now.nanosecondsForTests) \(String(repairing: data))")
            }
        }
        var story: [String] = []
        let server = Noting()
        server.note = { story.append($0) }
        try network.host("server").listenTCP(port: 1, factory: Factory { [weak server] _ in server })
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: factory(client))
        try network.host("third").listenTCP(port: 1, factory: Factory { Echo() })
        var strangers: [AccumulatingProtocol] = []
        for _ in 0..<others {
            let stranger = AccumulatingProtocol()
            strangers.append(stranger)
            try network.host("client").connectTCP(host: "third", port: 1, factory: factory(stranger))
        }
        try network.run(for: .seconds(1))
        for number in 0..<20 {
            client.transport.write("\(number)")
            for stranger in strangers { stranger.transport.write("noise") }
            try network.run(for: .milliseconds(100))
        }
        try network.stop()
        server.note = nil
        return story
    }

    @Test func aSeedGivesTheSameRunWhateverHappensElsewhere() throws {
        let first = try arrivals(seed: 7)
        #expect(first.count == 20)
        #expect(try arrivals(seed: 7) == first)
        #expect(try arrivals(seed: 7, others: 3) == first)
        #expect(try arrivals(seed: 8) != first)
    }
}

extension ReactorClock.Instant {
    /// Nanoseconds since a simulation's beginning.
    var nanosecondsForTests: Int64 {
        Int64(ManualClock().now.duration(to: self) / .nanoseconds(1))
    }
}
