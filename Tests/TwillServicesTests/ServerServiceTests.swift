import Logging
import TestSupport
import Testing
import Twill
import TwillServices
import TwillTesting

/// Answers a line `work N` after N seconds, and any other at once.
private final class Worker: LineReceiver {
    private var underWay = 0
    let diary: Diary

    init(_ diary: Diary) {
        self.diary = diary
        super.init(delimiter: .lf)
    }

    override var isBusy: Bool { underWay > 0 || super.isBusy }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let words = try String(validating: line).split(separator: " ")
        guard words.first == "work", let seconds = words.last.flatMap({ Int($0) }) else { return sendLine("ok") }
        underWay += 1
        transport.callLater(.seconds(seconds)) {
            self.underWay -= 1
            self.sendLine("done")
        }
    }

    override func drainRequested(deadline: ReactorClock.Instant) {
        diary.note("asked to drain in \(transport.reactor.now.duration(to: deadline))")
        sendLine("goodbye")
    }
}

@Suite("Ports as services", .nothingLivesOn)
struct ServerServiceTests {
    /// A server on one host, and clients on another.
    private struct Scene {
        let diary = Diary()
        let log = Diary()
        let network: SimulatedNetwork
        let root: MultiService
        let server: TCPServer

        init() throws {
            network = SimulatedNetwork(logger: Logger(log))
            network.conditions = LinkConditions(latency: .zero)
            root = MultiService(on: network.host("server"))
            let diary = diary
            server = try root.add(TCPServer(port: 8007, factory: Factory { Worker(diary) }, name: "work"))
        }

        func connect(_ line: String = "") throws -> AccumulatingProtocol {
            let client = AccumulatingProtocol()
            try network.host("client").connectTCP(
                host: "server", port: 8007, factory: ClientFactory { [weak client] (_: Address) in client })
            try network.run(for: .seconds(1))
            if !line.isEmpty { client.transport.write(line) }
            try network.run(for: .milliseconds(10))
            return client
        }

        func drain(within limit: Duration) {
            root.drain(deadline: network.host("server").now.advanced(by: limit)).noting("drain", in: diary)
        }

        func end() throws {
            root.stop()
            try network.stop()
        }
    }

    @Test func nobodyIsServedBeforeTheStart() throws {
        let scene = try Scene()
        try scene.root.privilegedStart()
        #expect(scene.server.port?.isPaused == true)
        let client = try scene.connect("hello\n")
        #expect(client.text == "")
        try scene.root.start()
        try scene.network.run(for: .seconds(1))
        #expect(client.text == "ok\n")
        #expect(scene.server.connectionCount == 1)
        try scene.end()
    }

    @Test func aPortThatCannotBeBoundEndsTheStart() throws {
        let scene = try Scene()
        try scene.root.add(TCPServer(port: 8007, factory: Factory { Worker(Diary()) }))
        #expect(throws: ListenError.addressInUse) { try scene.root.start() }
        #expect(scene.server.state == .stopped && scene.server.port == nil)
        try scene.end()
    }

    @Test func idleConnectionsCloseAtOnceAndBusyOnesFinish() throws {
        let scene = try Scene()
        try scene.root.start()
        let (idle, busy) = (try scene.connect("hello\n"), try scene.connect("work 5\n"))
        let half = try scene.connect("hal")
        scene.drain(within: .seconds(30))
        try scene.network.run(for: .milliseconds(500))
        #expect(idle.text == "ok\ngoodbye\n" && idle.reason == .done)
        #expect(busy.text == "goodbye\n" && !busy.wasLost)
        #expect(!half.wasLost)
        // Nobody new.
        let late = try scene.connect()
        #expect(!late.wasMade)
        half.transport.write("f\n")
        try scene.network.run(for: .milliseconds(500))
        #expect(half.text == "goodbye\nok\n" && half.wasLost)
        #expect(scene.diary.take() == Array(repeating: "asked to drain in 30.0 seconds", count: 3))
        try scene.network.run(for: .seconds(5))
        #expect(busy.text == "goodbye\ndone\n" && busy.reason == .done)
        #expect(scene.diary.take() == ["drain done"])
        #expect(
            scene.log.entries.filter { !$0.contains("listens") && !$0.contains("left") } == [
                "info: work drains 3 connections",
                // The client that came too late.
                "warning: Couldn't connect to server:8007: connection refused; is the server running?",
                "info: work has drained in \(Duration.milliseconds(4_000)): 1 connections were idle, 2 finished, 0 were aborted",
            ])
        #expect(scene.log.entries.contains("info: work drains: 1 of 3 connections are left"))
        scene.root.stop().noting("stop", in: scene.diary)
        #expect(scene.diary.take() == ["stop done"])
        try scene.end()
    }

    @Test func policiesAnswerForTheProtocolsInsideOfThem() throws {
        let network = SimulatedNetwork(logger: Logger(Diary()))
        network.conditions = LinkConditions(latency: .zero)
        let reactor = network.host("server")
        let (root, diary) = (MultiService(on: reactor), Diary())
        let patient = TimeoutFactory(wrapping: Factory { Worker(diary) }, timeout: .seconds(600))
        let limited = LimitTotalConnectionsFactory(wrapping: ThrottlingFactory(wrapping: patient), connectionsMax: 10)
        try root.add(StreamServerEndpointService("haproxy:tcp:8007:trust=0.0.0.0/0", factory: limited))
        try root.start()
        let clients = (0..<2).map { _ in AccumulatingProtocol() }
        for client in clients {
            try network.host("client").connectTCP(
                host: "server", port: 8007, factory: ClientFactory { [weak client] (_: Address) in client })
        }
        try network.run(for: .seconds(1))
        for (client, line) in zip(clients, ["work 5", "hello"]) {
            client.transport.write("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n\(line)\n")
        }
        try network.run(for: .seconds(1))
        root.drain(deadline: reactor.now.advanced(by: .seconds(30))).noting("drain", in: diary)
        try network.run(for: .seconds(1))
        #expect(clients.map(\.text) == ["goodbye\n", "ok\ngoodbye\n"])
        #expect(clients.map(\.wasLost) == [false, true])
        try network.run(for: .seconds(4))
        #expect(clients[0].text == "goodbye\ndone\n" && clients[0].reason == .done)
        #expect(diary.take().last == "drain done")
        root.stop()
        try network.stop()
    }

    @Test func aReceiverThatPausedInAMessageBatchIsBusy() throws {
        final class Pausing: LineReceiver {
            override func lineReceived(_ line: Span<UInt8>) { if String(repairing: line) == "one" { pauseProducing() } }
        }
        let handler = Pausing()
        let transport = try feed(handler, "one\r\ntwo\r\n")
        #expect(handler.isBusy)
        try handler.resumeProducing()
        #expect(!handler.isBusy)
        try transport.receive("thr")
        #expect(handler.isBusy)
        transport.lose()
    }

    @Test func whoeverHasJustComeIsHeard() throws {
        let scene = try Scene()
        scene.network.conditions = LinkConditions(latency: .milliseconds(100))
        try scene.root.start()
        let clients = (0..<2).map { _ in AccumulatingProtocol() }
        for client in clients {
            try scene.network.host("client").connectTCP(
                host: "server", port: 8007, factory: ClientFactory { [weak client] (_: Address) in client })
        }
        #expect(try scene.network.run(within: .seconds(1)) { scene.server.connectionCount == 2 })
        // Its message is on its way when the drain begins; the other one says nothing.
        clients[0].transport.write("hello\n")
        scene.drain(within: .seconds(30))
        try scene.network.run(for: .milliseconds(500))
        #expect(clients[0].text == "goodbye\nok\n" && clients[0].reason == .done)
        #expect(!clients[1].wasLost)
        try scene.network.run(for: .seconds(1))
        #expect(clients[1].reason == .done)
        #expect(scene.diary.take().last == "drain done")
        try scene.end()
    }

    @Test func whatIsLeftAtTheDeadlineIsAborted() throws {
        let scene = try Scene()
        try scene.root.start()
        let busy = try scene.connect("work 60\n")
        scene.drain(within: .seconds(3))
        try scene.network.run(for: .milliseconds(2_900))
        #expect(!busy.wasLost)
        try scene.network.run(for: .milliseconds(200))
        #expect(busy.reason == .lost)
        #expect(scene.diary.take().last == "drain done")
        #expect(scene.log.entries.last?.hasSuffix("0 connections were idle, 0 finished, 1 were aborted") == true)
        try scene.end()
    }

    @Test func aSecondDrainWithAnEarlierDeadlineCutsTheFirstShort() throws {
        let scene = try Scene()
        try scene.root.start()
        let busy = try scene.connect("work 60\n")
        scene.drain(within: .seconds(3600))
        try scene.network.run(for: .seconds(1))
        scene.drain(within: .zero)
        try scene.network.run(for: .milliseconds(100))
        #expect(busy.reason == .lost)
        #expect(scene.diary.entries.count { $0 == "drain done" } == 2)
        // Asked once.
        #expect(scene.diary.entries.count { $0.hasPrefix("asked") } == 1)
        try scene.end()
    }

    @Test func stoppingWaitsForBusyConnectionsAndItStartsAgain() throws {
        let scene = try Scene()
        try scene.root.start()
        let busy = try scene.connect("work 5\n")
        scene.root.stop().noting("stop", in: scene.diary)
        try scene.network.run(for: .seconds(3))
        #expect(!busy.wasLost && scene.server.state == .stopping)
        try scene.network.run(for: .seconds(3))
        #expect(busy.text == "goodbye\ndone\n" && busy.wasLost)
        #expect(scene.diary.entries.last == "stop done")
        try scene.root.start()
        #expect(try scene.connect("hello\n").text == "ok\n")
        scene.server.drainTimeout = .seconds(1)
        let stuck = try scene.connect("work 60\n")
        scene.root.stop()
        try scene.network.run(for: .seconds(2))
        #expect(stuck.wasLost && scene.server.state == .stopped)
        try scene.end()
    }

    @Test func tasksThatWaitForInputAreIdleAndOthersFinish() throws {
        let network = SimulatedNetwork(logger: Logger(Diary()))
        network.conditions = LinkConditions(latency: .zero)
        let reactor = network.host("server")
        let root = MultiService(on: reactor)
        try root.add(
            ConnectionService("tcp:8007") { connection in
                for try await line in connection.lines {
                    try await connection.reactor.sleep(for: .seconds(5))
                    try await connection.writeLine("you said \(line)")
                }
            })
        try root.start()
        let clients = (0..<2).map { _ in AccumulatingProtocol() }
        for client in clients {
            try network.host("client").connectTCP(
                host: "server", port: 8007, factory: ClientFactory { [weak client] (_: Address) in client })
        }
        try network.run(for: .seconds(1))
        clients[0].transport.write("hello\r\n")
        try network.run(for: .seconds(1))
        let diary = Diary()
        root.drain(deadline: reactor.now.advanced(by: .seconds(30))).noting("drain", in: diary)
        try network.run(for: .seconds(1))
        #expect(clients.map(\.wasLost) == [false, true])
        try network.run(for: .seconds(5))
        #expect(clients[0].text == "you said hello\r\n" && clients[0].reason == .done)
        #expect(diary.entries == ["drain done"])
        root.stop()
        try network.stop()
    }

    @Test func aUNIXSocketAndAUDPPortAreServices() throws {
        final class Mirror: DatagramProtocol {
            override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws { try transport.write(data, to: sender) }
        }
        let reactor = SimulatedReactor(logger: Logger(Diary()))
        let root = MultiService(on: reactor)
        let diary = Diary()
        let server = try root.add(UNIXServer(path: "/run/work", factory: Factory { Worker(diary) }))
        let mirror = try root.add(UDPServer(port: 8008) { Mirror() })
        try root.start()
        #expect(server.address == .unix("/run/work"))
        #expect(mirror.transport?.host.port == 8008)
        root.stop()
        #expect(mirror.transport == nil && server.port == nil)
        try root.start()
        #expect(mirror.transport?.isListening == true)
        root.stop()
        reactor.stop()
        try reactor.run(for: .zero)
    }
}
