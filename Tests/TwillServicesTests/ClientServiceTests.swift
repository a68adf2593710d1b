import Logging
import TestSupport
import Testing
import Twill
import TwillServices
import TwillTesting

@Suite("Clients as services", .nothingLivesOn)
struct ClientServiceTests {
    private final class Client: Protocol {
        var reason: ConnectionLost?
        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    /// A client service on one host, and a server on another that may listen or not.
    private final class Scene {
        let diary = Diary()
        let log = Diary()
        let network: SimulatedNetwork
        let root: MultiService
        let service: ClientService
        var port: (any ListeningPort)?
        private(set) var accepted: [AccumulatingProtocol] = []

        init(prepareConnection: ClientService.Preparation? = nil) throws {
            network = SimulatedNetwork(logger: Logger(log))
            network.conditions = LinkConditions(latency: .zero)
            root = MultiService(on: network.host("client"))
            _ = network.host("server")
            service = try root.add(
                ClientService(
                    try clientFromString("tcp:server:8007"), factory: Factory { Client() }, name: "uplink",
                    prepareConnection: prepareConnection))
            service.backoff = Backoff(initialDelay: .seconds(1), maxDelay: .seconds(4), factor: 2, jitter: 0)
            let diary = diary
            service.connectivityChanged = { diary.note("\($0)") }
        }

        func listen() throws {
            port = try network.host("server").listenTCP(
                port: 8007,
                factory: Factory { [unowned self] in
                    let server = AccumulatingProtocol()
                    accepted.append(server)
                    return server
                })
        }

        func run(for duration: Duration) throws { try network.run(for: duration) }

        func end() throws {
            root.stop()
            try network.stop()
            accepted = []
        }
    }

    @Test func itConnectsAndTellsThoseWhoWait() throws {
        let scene = try Scene()
        try scene.listen()
        let early = scene.service.whenConnected()
        try scene.root.start()
        #expect(scene.service.connectivity == .connecting && !early.hasFired)
        try scene.run(for: .seconds(1))
        var told: [Protocol] = []
        early.addCallback { told.append($0) }
        scene.service.whenConnected().addCallback { told.append($0) }
        #expect(told.count == 2 && told[0] === told[1] && told[0] is Client)
        #expect(scene.diary.take() == ["connecting", "connected"])
        try scene.end()
    }

    @Test func itWaitsLongerAfterEachFailureAndBeginsAnewAfterASuccess() throws {
        let scene = try Scene()
        try scene.root.start()
        let start = scene.network.now
        var attempts: [Int] = []
        scene.service.connectivityChanged = {
            if $0 == .connecting { attempts.append(Int(start.duration(to: scene.network.now) / .seconds(1))) }
        }
        try scene.run(for: .seconds(16))
        // Waits of 1, 2, 4 and 4 seconds, the longest there is.
        #expect(attempts == [1, 3, 7, 11, 15])
        #expect(scene.service.failedAttempts == 6 && scene.service.connectivity == .waiting)
        try scene.listen()
        try scene.run(for: .seconds(4))
        #expect(scene.service.connectivity == .connected && scene.service.failedAttempts == 0)
        scene.accepted[0].transport.loseConnection()
        try scene.run(for: .milliseconds(500))
        #expect(scene.service.connectivity == .waiting)
        try scene.run(for: .seconds(1))
        #expect(scene.service.connectivity == .connected && scene.accepted.count == 2)
        try scene.end()
    }

    @Test func whoeverWaitsMayLosePatience() throws {
        let scene = try Scene()
        try scene.root.start()
        let diary = Diary()
        scene.service.whenConnected(failAfterFailures: 1).noting("one", in: diary)
        scene.service.whenConnected(failAfterFailures: 2).noting("two", in: diary)
        let cancelled = scene.service.whenConnected()
        cancelled.noting("cancelled", in: diary)
        scene.service.whenConnected().noting("patient", in: diary)
        try scene.run(for: .milliseconds(500))
        #expect(diary.take() == ["one failed: Couldn't connect to server:8007: connection refused; is the server running?"])
        cancelled.cancel()
        #expect(diary.take() == ["cancelled failed: the Deferred was cancelled"])
        try scene.run(for: .seconds(1))
        #expect(diary.take() == ["two failed: Couldn't connect to server:8007: connection refused; is the server running?"])
        try scene.listen()
        try scene.run(for: .seconds(4))
        #expect(diary.take() == ["patient done"])
        try scene.end()
    }

    @Test func aConnectionIsReadyWhenItWasPrepared() throws {
        var preparations: [Deferred<Void>] = []
        let scene = try Scene { _ in
            let made = Deferred<Void>()
            preparations.append(made)
            return made
        }
        try scene.listen()
        try scene.root.start()
        scene.service.whenConnected().noting("ready", in: scene.diary)
        try scene.run(for: .seconds(1))
        #expect(scene.diary.take() == ["connecting"])
        try preparations[0].succeed(())
        #expect(scene.diary.take() == ["ready done", "connected"])
        try scene.end()
        preparations = []
    }

    @Test func aConnectionThatCannotBePreparedIsClosedAndCountsAsAFailure() throws {
        var count = 0
        let scene = try Scene { _ in
            count += 1
            if count == 1 { throw Refusal() }
            return count == 2 ? .fail(Refusal()) : nil
        }
        try scene.listen()
        try scene.root.start()
        scene.service.whenConnected(failAfterFailures: 1).noting("one", in: scene.diary)
        try scene.run(for: .milliseconds(500))
        #expect(scene.diary.take() == ["connecting", "one failed: refused", "disconnecting", "waiting"])
        #expect(scene.accepted.map(\.wasLost) == [true] && scene.service.failedAttempts == 1)
        try scene.run(for: .seconds(1))
        #expect(scene.accepted.map(\.wasLost) == [true, true] && scene.service.failedAttempts == 2)
        try scene.run(for: .seconds(2))
        #expect(scene.service.connectivity == .connected && scene.accepted.count == 3)
        #expect(!scene.log.entries.contains { $0.hasPrefix("error") })
        try scene.end()
    }

    @Test func aConnectionThatIsLostWhileItIsPreparedIsAFailure() throws {
        let pending = Deferred<Void>()
        let scene = try Scene { _ in pending }
        try scene.listen()
        try scene.root.start()
        try scene.run(for: .milliseconds(100))
        pending.noting("preparation", in: scene.diary)
        scene.accepted[0].transport.loseConnection()
        try scene.run(for: .milliseconds(100))
        #expect(scene.diary.take() == ["connecting", "preparation failed: the Deferred was cancelled", "waiting"])
        #expect(scene.service.failedAttempts == 1)
        try scene.end()
    }

    @Test func aFactoryThatRefusesIsAFailedAttempt() throws {
        let network = SimulatedNetwork(logger: Logger(Diary()))
        let root = MultiService(on: network.host("client"))
        let service = try root.add(ClientService(try clientFromString("tcp:server:8007"), factory: Factory { (_: Address) in nil }))
        let server = AccumulatingProtocol()
        try network.host("server").listenTCP(port: 8007, factory: Factory { [weak server] (_: Address) in server })
        try root.start()
        let diary = Diary()
        service.whenConnected(failAfterFailures: 1).noting("connection", in: diary)
        try network.run(for: .milliseconds(500))
        #expect(diary.entries == ["connection failed: \(NoProtocol())"])
        #expect(service.connectivity == .waiting)
        root.stop()
        try network.stop()
    }

    @Test func stoppingGivesUpAnAttempt() throws {
        let scene = try Scene()
        scene.network.conditions = LinkConditions(latency: .seconds(5))
        try scene.listen()
        try scene.root.start()
        try scene.run(for: .seconds(1))
        scene.service.whenConnected().noting("waiting", in: scene.diary)
        scene.root.stop().noting("stop", in: scene.diary)
        try scene.run(for: .seconds(1))
        #expect(
            scene.diary.take() == [
                "connecting", "waiting failed: the Deferred was cancelled", "disconnecting", "stop done", "stopped",
            ])
        scene.service.whenConnected().noting("late", in: scene.diary)
        #expect(scene.diary.take() == ["late failed: the Deferred was cancelled"])
        try scene.end()
    }

    @Test func stoppingGivesUpAWait() throws {
        let scene = try Scene()
        try scene.root.start()
        try scene.run(for: .milliseconds(100))
        #expect(scene.service.connectivity == .waiting)
        scene.root.stop().noting("stop", in: scene.diary)
        #expect(scene.diary.take() == ["connecting", "waiting", "stopped", "stop done"])
        try scene.run(for: .seconds(10))
        #expect(scene.diary.take() == [])
        try scene.end()
    }

    @Test func stoppingClosesAConnectionAfterItsOutputAndStartingMeanwhileConnectsAgain() throws {
        let scene = try Scene()
        try scene.listen()
        try scene.root.start()
        try scene.run(for: .milliseconds(100))
        scene.service.whenConnected().addCallback { $0.transport.write("last words") }
        _ = scene.diary.take()
        scene.service.stop().noting("stop", in: scene.diary)
        try scene.service.start()
        #expect(scene.diary.take() == ["disconnecting"])
        try scene.run(for: .milliseconds(100))
        #expect(scene.accepted[0].text == "last words" && scene.accepted[0].wasLost)
        #expect(scene.diary.take() == ["connecting", "stop done", "connected"])
        #expect(scene.accepted.count == 2 && scene.service.isRunning)
        try scene.end()
    }

    @Test func aReconnectingFactoryIsStoppedAndStartsAgain() throws {
        let network = SimulatedNetwork(logger: Logger(Diary()))
        network.conditions = LinkConditions(latency: .zero)
        let root = MultiService(on: network.host("client"))
        let factory = ReconnectingClientFactory { Client() }
        let client = try root.add(TCPClient(host: "server", port: 8007, factory: factory))
        try root.start()
        try network.run(for: .milliseconds(100))
        #expect(factory.nextAttemptTime != nil)
        let diary = Diary()
        root.stop().noting("stop", in: diary)
        #expect(diary.take() == ["stop done"])
        try network.run(for: .seconds(60))
        #expect(factory.retries == 1)
        let server = AccumulatingProtocol()
        try network.host("server").listenTCP(port: 8007, factory: Factory { [weak server] (_: Address) in server })
        try root.start()
        try network.run(for: .seconds(1))
        #expect(server.wasMade)
        root.stop().noting("stop", in: diary)
        #expect(diary.take() == [] && client.state == .stopping)
        try network.run(for: .seconds(1))
        #expect(diary.take() == ["stop done"] && server.reason == .done)
        try network.stop()
    }
}
