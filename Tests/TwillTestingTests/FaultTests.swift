import Testing
import Twill
import TwillTesting

@Suite("Faults by plan")
struct FaultTests {
    /// A server and a client on two hosts, and what became of connecting.
    private final class Scene {
        let network: SimulatedNetwork
        let server = AccumulatingProtocol()
        let client = AccumulatingProtocol()
        let outcome = Outcome()

        /// - Parameter plan: what goes wrong on the way to the server.
        init(seed: UInt64 = 1, _ change: (inout FaultPlan) -> Void = { _ in }) throws {
            network = SimulatedNetwork(seed: seed)
            var plan = FaultPlan.none
            change(&plan)
            network.setFaults(plan, from: "client", to: "server")
            try network.host("server").listenTCP(port: 1, factory: Factory { [weak server] (_: Address) in server })
            outcome.handler = client
            try network.host("client").connectTCP(host: "server", port: 1, factory: outcome)
            try network.run(for: .seconds(1))
        }

        /// Sends a text and lets a minute go by.
        func send(_ text: String) throws {
            client.transport.write(text)
            try network.run(for: .seconds(60))
        }
    }

    private static let always = 1_000_000

    @Test func connectsAreRefused() throws {
        let scene = try Scene { $0.refusals = Self.always }
        #expect(scene.outcome.failure == .refused)
        #expect(!scene.server.wasMade)
        try scene.network.stop()
    }

    @Test func connectsHangUntilTheyTimeOut() throws {
        let scene = try Scene { $0.hangs = Self.always }
        #expect(scene.outcome.failure == nil)
        try scene.network.run(for: .seconds(30))
        #expect(scene.outcome.failure == .timedOut)
        try scene.network.stop()
    }

    @Test func connectsAreSlow() throws {
        let scene = try Scene {
            $0.slowConnects = Self.always
            $0.slownessMax = .seconds(20)
        }
        #expect(!scene.client.wasMade)
        try scene.network.run(for: .seconds(20))
        #expect(scene.client.wasMade && scene.server.wasMade)
        try scene.network.stop()
    }

    @Test func connectionsAreResetBeforeTheFirstByte() throws {
        let scene = try Scene { $0.earlyResets = Self.always }
        #expect(scene.client.wasMade && scene.server.wasMade)
        #expect(scene.client.reason == .lost && scene.server.reason == .lost)
        #expect(scene.server.data.isEmpty)
        try scene.network.stop()
    }

    @Test func bytesComeOneByOne() throws {
        let scene = try Scene { $0.byteByByte = Self.always }
        try scene.send("hello")
        #expect(scene.server.text == "hello")
        #expect(scene.server.pieces == [1, 1, 1, 1, 1])
        try scene.network.stop()
    }

    @Test func piecesAreSplitAnywhere() throws {
        let scene = try Scene { $0.splits = Self.always }
        for _ in 0..<50 { try scene.send("hello") }
        #expect(scene.server.pieces.count == 100)
        #expect(Set(scene.server.pieces) == [1, 2, 3, 4])
        #expect(scene.server.data.count == 250)
        try scene.network.stop()
    }

    @Test func segmentsAreHeldUpWithAllThatIsBehindThem() throws {
        let scene = try Scene {
            $0.stalls = Self.always
            $0.slownessMax = .seconds(50)
        }
        scene.client.transport.write("a")
        try scene.network.run(for: .milliseconds(2))
        #expect(scene.server.data.isEmpty)
        try scene.send("b")
        try scene.network.run(for: .seconds(60))
        #expect(scene.server.text == "ab")
        try scene.network.stop()
    }

    @Test func aReceiverTakesNothingForAWhile() throws {
        let scene = try Scene {
            $0.zeroWindows = Self.always
            $0.slownessMax = .seconds(20)
        }
        scene.client.transport.write("a")
        try scene.network.run(for: .milliseconds(1))
        scene.client.transport.write("b")
        try scene.network.run(for: .milliseconds(1))
        #expect(scene.client.transport.bufferedByteCount == 1, "it waits in the writer's process")
        try scene.network.run(for: .seconds(21))
        #expect(scene.server.text == "ab")
        try scene.network.stop()
    }

    @Test func aWindowThatIsClosedIsAskedForUntilItOpens() throws {
        let scene = try Scene()
        scene.network.conditions.windowBytes = 0
        try scene.send("hello")
        #expect(scene.server.data.isEmpty && scene.client.transport.bufferedByteCount == 5)
        scene.network.conditions.windowBytes = 3
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == "hello")
        #expect(scene.server.pieces == [3, 2])
        try scene.network.stop()
    }

    @Test(arguments: [FaultPlan.Ending.end, .reset, .vanish])
    func aConnectionEndsAtAnOffset(by ending: FaultPlan.Ending) throws {
        let scene = try Scene { $0.cut = FaultPlan.Cut(at: 17, by: ending) }
        try scene.send("0123456789")
        #expect(scene.server.text == "0123456789" && !scene.server.wasLost)
        try scene.send("0123456789")
        #expect(scene.server.text == "01234567890123456")
        switch ending {
        case .end: #expect(scene.server.reason == .done && scene.client.reason == .done)
        case .reset: #expect(scene.server.reason == .lost && scene.client.reason == .lost)
        case .vanish:
            #expect(!scene.server.wasLost && !scene.client.wasLost)
            try scene.network.run(for: .seconds(15 * 60))
            #expect(scene.client.reason == .lost, "who sends gives up in the end")
            #expect(!scene.server.wasLost, "who only listens never hears of it")
        }
        try scene.network.stop()
    }

    @Test func whoWritesOnAfterTheNetworksEndSeesAReset() throws {
        final class Stubborn: AccumulatingProtocol, HalfCloseableProtocol {
            func readConnectionLost() { transport.write("still here") }
            func writeConnectionLost() {}
        }
        let network = SimulatedNetwork()
        var plan = FaultPlan.none
        plan.cut = .init(at: 1, by: .end)
        network.setFaults(plan, from: "client", to: "server")
        let server = Stubborn()
        let client = AccumulatingProtocol()
        try network.host("server").listenTCP(port: 1, factory: Factory { [weak server] (_: Address) in server })
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        client.transport.write("x")
        try network.run(for: .seconds(1))
        #expect(server.reason == .lost)
        #expect(client.reason == .done && client.data.isEmpty)
        try network.stop()
    }

    @Test func endingsHitSomeConnectionsAndWhatArrivedIsAPrefix() throws {
        var endings: Set<String> = []
        for seed in 1...60 as ClosedRange<UInt64> {
            let scene = try Scene(seed: seed) {
                $0.ends = 200_000
                $0.resets = 200_000
                $0.vanishes = 200_000
            }
            let text = "0123456789"
            try scene.send(text)
            #expect(text.hasPrefix(scene.server.text))
            endings.insert(scene.server.reason.map { "\($0 == .done)" } ?? (scene.server.text == text ? "open" : "vanished"))
            try scene.network.stop()
        }
        #expect(endings == ["true", "false", "open", "vanished"])
    }

    @Test func aPartitionHoldsEverythingUpUntilItHeals() throws {
        let scene = try Scene()
        scene.network.partition("client", "server")
        try scene.send("one ")
        try scene.send("two")
        scene.server.transport.write("answer")
        try scene.network.run(for: .seconds(60))
        #expect(scene.server.data.isEmpty && scene.client.data.isEmpty)
        scene.network.heal()
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == "one two" && scene.client.text == "answer")
        try scene.network.stop()
    }

    @Test func aLinkMayBeHeldInOneDirection() throws {
        let scene = try Scene()
        scene.network.hold(from: "client", to: "server")
        scene.server.transport.write("answer")
        try scene.send("question")
        #expect(scene.server.data.isEmpty && scene.client.text == "answer")
        scene.network.release(from: "client", to: "server")
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == "question")
        try scene.network.stop()
    }

    @Test func whoSendsIntoAPartitionGivesUpInTheEnd() throws {
        let scene = try Scene()
        scene.network.partition("client", "server")
        try scene.send("anybody there?")
        try scene.network.run(for: .seconds(15 * 60))
        #expect(scene.client.reason == .lost)
        #expect(scene.client.reason?.errno != nil)
        #expect(!scene.server.wasLost)
        try scene.network.stop()
    }

    @Test func healingEndsAllFaults() throws {
        let scene = try Scene { $0.byteByByte = 0 }
        scene.network.faults = FaultPlan.swarm(seed: 1)
        scene.network.setFaults(FaultPlan.swarm(seed: 2), from: "client", to: "server")
        scene.network.heal()
        #expect(scene.network.faults == .none)
        for _ in 0..<100 { try scene.send("hello") }
        #expect(scene.server.pieces == [Int](repeating: 5, count: 100))
        try scene.network.stop()
    }

    @Test func aSwarmOfPlansDiffersBySeedAlone() {
        let plans = (0..<50).map { FaultPlan.swarm(seed: $0) }
        #expect(Set(plans).count == 50)
        #expect(plans[3] == FaultPlan.swarm(seed: 3))
        #expect(plans.contains { $0.resets == 0 } && plans.contains { $0.resets > 0 })
    }

    @Test func aHostReachesItselfWhateverHappensToTheNetwork() throws {
        let network = SimulatedNetwork()
        network.faults.refusals = Self.always
        let client = AccumulatingProtocol()
        try network.host("server").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        try network.host("server").connectTCP(host: "localhost", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        #expect(client.wasMade)
        try network.stop()
    }
}
