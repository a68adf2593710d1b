import Testing
import Twill

@testable import TwillTesting

@Suite("Hosts that crash and start again")
struct HostLifeTests {
    /// Greets, and counts how often it was told of a loss: never, where its process is killed.
    private final class Greeter: Twill::Protocol {
        let losses: Losses
        init(_ losses: Losses) {
            self.losses = losses
            super.init()
        }
        override func connectionMade() { transport.write("welcome") }
        override func connectionLost(_ reason: ConnectionLost) { losses.count += 1 }
    }

    private final class Losses {
        var count = 0
    }

    private final class Scene {
        let network = SimulatedNetwork()
        let losses = Losses()
        let client = AccumulatingProtocol()
        let outcome = Outcome()
        var starts = 0

        init() throws {
            try network.boot("server") { [unowned self] reactor in
                starts += 1
                try reactor.listenTCP(port: 1, factory: Factory { [losses] in Greeter(losses) })
                reactor.callLater(.seconds(3_600)) { Issue.record("a timer of a process that was killed") }
            }
            outcome.handler = client
            try connect(outcome)
            #expect(client.text == "welcome")
        }

        func connect(_ factory: ClientFactory) throws {
            try network.host("client").connectTCP(host: "server", port: 1, factory: factory)
            try network.run(for: .seconds(1))
        }

        /// What becomes of connecting now.
        func attempt() throws -> (AccumulatingProtocol, ConnectError?) {
            let outcome = Outcome()
            let client = AccumulatingProtocol()
            outcome.handler = client
            try connect(outcome)
            try network.run(for: .seconds(40))
            return (client, outcome.failure)
        }
    }

    @Test func aKilledProcessClosesItsConnectionsAndIsToldNothing() throws {
        let scene = try Scene()
        let old = scene.network.host("server")
        scene.network.crash("server")
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.reason == .done)
        #expect(scene.losses.count == 0)
        #expect(!old.isRunning)
        let (client, failure) = try scene.attempt()
        #expect(failure == .refused && !client.wasMade)
        try scene.network.restart("server")
        #expect(scene.starts == 2)
        #expect(scene.network.host("server") !== old)
        #expect(scene.network.host("server").address == old.address)
        #expect(try scene.attempt().0.text == "welcome")
        try scene.network.run(for: .seconds(3_000))
        try scene.network.stop()
        #expect(scene.losses.count == 1, "the second process ends in good order")
    }

    @Test func aKilledProcessThatHasUnreadInputResets() throws {
        let network = SimulatedNetwork()
        final class Deaf: Twill::Protocol {
            override func connectionMade() { transport.pauseProducing() }
        }
        try network.boot("server") { try $0.listenTCP(port: 1, factory: Factory { Deaf() }) }
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        client.transport.write("unread")
        try network.run(for: .seconds(1))
        network.crash("server")
        try network.run(for: .seconds(1))
        #expect(client.reason == .lost)
        try network.stop()
    }

    @Test func aHostThatGoesDarkTellsNobodyUntilItIsBack() throws {
        let scene = try Scene()
        scene.network.crash("server", by: .blackout)
        scene.client.transport.write("hello?")
        try scene.network.run(for: .seconds(60))
        #expect(!scene.client.wasLost, "nobody answers")
        #expect(try scene.attempt().1 == .timedOut)
        try scene.network.restart("server")
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.reason == .lost, "the new process knows of no connection")
        #expect(try scene.attempt().0.text == "welcome")
        try scene.network.stop()
    }

    @Test func whoSendsToADarkHostGivesUpInTheEndAndWhoListensNeverKnows() throws {
        let scene = try Scene()
        let silent = AccumulatingProtocol()
        try scene.connect(ClientFactory { [weak silent] (_: Address) in silent })
        scene.network.crash("server", by: .blackout)
        scene.client.transport.write("hello?")
        try scene.network.run(for: .seconds(16 * 60))
        #expect(scene.client.reason == .lost)
        #expect(!silent.wasLost)
        try scene.network.stop()
    }

    @Test func aTerminatedProcessEndsInGoodOrder() throws {
        let scene = try Scene()
        scene.network.terminate("server")
        try scene.network.run(for: .seconds(1))
        #expect(scene.losses.count == 1)
        #expect(scene.client.reason == .done)
        #expect(!scene.network.host("server").isRunning)
        try scene.network.restart("server")
        #expect(try scene.attempt().0.text == "welcome")
        try scene.network.stop()
    }

    @Test func aProcessMayBeKilledFromInsideItsOwnCallback() throws {
        final class Fatal: Twill::Protocol {
            let crash: () -> Void
            init(_ crash: @escaping () -> Void) {
                self.crash = crash
                super.init()
            }
            override func dataReceived(_ data: Span<UInt8>) {
                crash()
                transport.write("last words")
            }
        }
        let network = SimulatedNetwork()
        try network.boot("server") { [unowned network] in
            try $0.listenTCP(port: 1, factory: Factory { Fatal { [unowned network] in network.crash("server") } })
        }
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        client.transport.write("poison")
        try network.run(for: .seconds(1))
        #expect(client.wasLost)
        #expect(network.leftovers.isEmpty)
        try network.stop()
    }

    @Test func tasksOfAReactorThatStopsEnd() throws {
        let network = SimulatedNetwork()
        let log = LogLines()
        let host = network.host("server")
        host.addSystemEventTrigger(.after, .shutdown) { [unowned host] in
            host.task { reactor in
                defer { log.add("the late one ended") }
                try await reactor.sleep(for: .seconds(1))
            }
        }
        for name in ["first", "second", "third", "fourth", "fifth"] {
            host.task { reactor in
                defer { log.add("\(name) ended") }
                try await reactor.sleep(for: .seconds(3_600))
            }
        }
        try network.run(for: .seconds(1))
        try network.stop()
        #expect(log.lines == ["first", "second", "third", "fourth", "fifth", "the late one"].map { "\($0) ended" })
    }

    @Test func aTaskIsCancelledBeforeTheConnectionThatItWaitsForIsClosed() throws {
        let network = SimulatedNetwork()
        let log = LogLines()
        try network.host("server").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        let client = network.host("client")
        client.task { reactor in
            let connection = try await reactor.connect("tcp:server:1")
            do {
                _ = try await connection.lines.next()
            } catch {
                log.add("\(type(of: error))")
            }
        }
        try network.run(for: .seconds(1))
        client.stop()
        try network.run(for: .seconds(1))
        #expect(log.lines == ["CancellationError"])
        try network.stop()
    }

    @Test func tasksOfAKilledProcessEnd() async throws {
        let network = SimulatedNetwork()
        let log = LogLines()
        try network.boot("server") { reactor in
            reactor.task { reactor in
                defer { log.add("ended") }
                try await reactor.sleep(for: .seconds(3_600))
            }
        }
        try network.run(for: .seconds(1))
        #expect(log.lines.isEmpty)
        network.crash("server")
        #expect(log.lines == ["ended"])
        try network.stop()
    }

    @Test func aProgramThatCannotStartAgainFailsTheRun() throws {
        struct NoDisk: Error {}
        let network = SimulatedNetwork()
        var starts = 0
        try network.boot("server") { _ in
            starts += 1
            if starts > 1 { throw NoDisk() }
        }
        network.after(.seconds(1)) { [unowned network] in try network.restart("server") }
        #expect(throws: NoDisk.self) { try network.run(for: .seconds(2)) }
        try network.stop()
    }

    @Test(arguments: [Fault.crashes, .blackouts, .terminations])
    func aPlanEndsHostsAndTheyStartAgain(_ fault: Fault) throws {
        let scene = try Scene()
        var plan = FaultPlan.none
        switch fault {
        case .crashes: plan.crashes = 20_000
        case .blackouts: plan.blackouts = 20_000
        default: plan.terminations = 20_000
        }
        scene.network.faults = plan
        try scene.network.run(for: .seconds(500))
        #expect((4...20).contains(scene.starts), "one second in fifty: \(scene.starts)")
        scene.network.heal()
        try scene.network.run(for: .seconds(20))
        let starts = scene.starts
        try scene.network.run(for: .seconds(500))
        #expect(scene.starts == starts)
        #expect(try scene.attempt().0.text == "welcome")
        try scene.network.stop()
    }

    @Test func wallClocksJumpAndTimersDoNot() throws {
        let network = SimulatedNetwork()
        let host = network.host("server")
        let other = network.host("client")
        #expect(host.wallTime == .seconds(1_767_225_600))
        var firedAt: Duration?
        host.callLater(.seconds(10)) { [unowned host] in firedAt = host.wallTime }
        try network.run(for: .seconds(5))
        host.stepWallClock(by: .seconds(-3_600))
        try network.run(for: .seconds(5))
        #expect(firedAt == .seconds(1_767_225_600 + 10 - 3_600))
        #expect(other.wallTime == .seconds(1_767_225_610))
        try network.boot("third") { _ in }
        network.faults.clockSteps = 100_000
        try network.run(for: .seconds(100))
        let skew = network.host("third").wallTime - other.wallTime
        #expect(skew != .zero && skew > .seconds(-36_000) && skew < .seconds(36_000))
        try network.stop()
    }

    @Test func namesAreNotFoundOrFoundLate() throws {
        let network = SimulatedNetwork()
        try network.host("server").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        network.faults.unknownNames = 1_000_000
        let lost = Outcome()
        try network.host("client").connectTCP(host: "server", port: 1, factory: lost)
        try network.run(for: .seconds(1))
        #expect(lost.failure == .unknownHost)
        network.faults = .none
        network.faults.slowNames = 1_000_000
        let late = Outcome()
        let client = AccumulatingProtocol()
        late.handler = client
        try network.host("client").connectTCP(host: "server", port: 1, factory: late)
        try network.run(for: .milliseconds(100))
        #expect(!client.wasMade)
        try network.run(for: .seconds(10))
        #expect(client.wasMade)
        network.faults.unknownNames = 1_000_000
        let local = AccumulatingProtocol()
        try network.host("server").connectTCP(
            host: "localhost", port: 1, factory: ClientFactory { [weak local] (_: Address) in local })
        try network.run(for: .seconds(1))
        #expect(local.wasMade, "a host knows itself")
        try network.stop()
    }

    @Test func aHostRunsOutOfDescriptorsForAWhile() throws {
        let network = SimulatedNetwork(logger: LogLines().logger)
        let server = network.host("server")
        try server.listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        try server.listenTCP(port: 2, factory: Factory { AccumulatingProtocol() })
        // The client's own attempts need descriptors as well.
        let client = AccumulatingProtocol()
        server.shortageEnd = server.now.advanced(by: .seconds(5))
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        let own = Outcome()
        try server.connectTCP(host: "localhost", port: 2, factory: own)
        try network.run(for: .seconds(1))
        #expect(client.wasMade, "who connects waits in the backlog")
        #expect(own.failure?.errno == 24, "EMFILE")
        #expect(server.statistics.connections.accepted == 0)
        try network.run(for: .seconds(5))
        #expect(server.statistics.connections.accepted == 1)
        try network.stop()
    }

    @Test func shortagesComeByPlanAndEnd() throws {
        let network = SimulatedNetwork(logger: LogLines().logger)
        network.faults.descriptorShortages = 1_000_000
        try network.host("server").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        let outcome = Outcome()
        try network.host("client").connectTCP(host: "server", port: 1, factory: outcome)
        try network.run(for: .seconds(1))
        #expect(outcome.failure?.errno == 24)
        network.heal()
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        #expect(client.wasMade)
        try network.stop()
    }

    @Test func aServerThatWritesAfterItsConnectionEndedIsFound() throws {
        /// Answers when its work is done, whether anybody is there or not.
        final class Late: Twill::Protocol {
            override func dataReceived(_ data: Span<UInt8>) {
                let transport = transport
                transport.reactor.callLater(.seconds(5)) { transport.write("done") }
            }
        }
        let failure = #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 1_000) { network in
                var plan = FaultPlan.none
                plan.resets = 5_000
                network.setFaults(plan, from: "client", to: "server")
                try network.host("server").listenTCP(port: 1, factory: Factory { Late() })
                let client = AccumulatingProtocol()
                try network.host("client").connectTCP(
                    host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
                for _ in 0..<4 {
                    try network.run(for: .seconds(1))
                    client.transport.write("work")
                }
                try network.run(for: .seconds(10))
                try network.expect(network.host("server").lateWriteCount == 0, "the server writes after the end")
            }
        }
        #expect(failure?.faults == [.resets: 1])
        #expect(failure?.trace.text.contains("something is written that nobody will get") == true)
    }
}
