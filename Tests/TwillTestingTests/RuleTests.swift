import Testing
import Twill
import TwillTesting

@Suite("Rules and probes")
struct RuleTests {
    private final class Scene {
        let network: SimulatedNetwork
        let server = AccumulatingProtocol()
        let client = AccumulatingProtocol()
        let outcome = Outcome()

        init(seed: UInt64 = 1, _ prepare: (SimulatedNetwork) -> Void = { _ in }) throws {
            network = SimulatedNetwork(seed: seed)
            prepare(network)
            try network.host("server").listenTCP(port: 1, factory: Factory { [weak server] (_: Address) in server })
            outcome.handler = client
            try network.host("client").connectTCP(host: "server", port: 1, factory: outcome)
            try network.run(for: .seconds(1))
        }

        func say(_ text: String) throws {
            client.transport.write(text)
            try network.run(for: .seconds(1))
        }
    }

    @Test func aRuleHoldsUpWhatItWillAndAllBehindItUntilItIsRemoved() throws {
        let scene = try Scene()
        let rule = scene.network.rule { $0.from == "client" && $0.offset >= 3 ? .hold : .pass }
        try scene.say("one")
        try scene.say("two")
        scene.server.transport.write("answer")
        try scene.say("three")
        #expect(scene.server.text == "one")
        #expect(scene.client.text == "answer", "the other way is open")
        #expect(rule.isInForce)
        rule.remove()
        rule.remove()
        try scene.say("four")
        #expect(scene.server.text == "onetwothreefour")
        try scene.network.stop()
    }

    @Test func theFirstRuleThatDoesNotLetPassHasItsWay() throws {
        let scene = try Scene()
        var asked: [String] = []
        scene.network.rule { _ in
            asked.append("first")
            return .pass
        }
        let second = scene.network.rule {
            asked.append("second")
            return $0.kind == .data ? .deliver(after: .milliseconds(500)) : .pass
        }
        scene.network.rule { _ in
            asked.append("third")
            return .reset
        }
        scene.client.transport.write("slow")
        try scene.network.run(for: .milliseconds(400))
        #expect(scene.server.text.isEmpty)
        try scene.network.run(for: .milliseconds(200))
        #expect(scene.server.text == "slow")
        #expect(asked == ["first", "second"])
        second.remove()
        try scene.say("reset")
        #expect(scene.server.reason == .lost && scene.client.reason == .lost)
        #expect(scene.server.text == "slow")
        try scene.network.stop()
    }

    @Test func aRuleSeesWhoSendsWhatToWhom() throws {
        let network = SimulatedNetwork()
        var seen: [String] = []
        network.rule {
            seen.append("\($0.from)>\($0.to)#\($0.connection) \($0.kind) \($0.offset) \(String(decoding: $0.bytes, as: UTF8.self))")
            return .pass
        }
        let server = AccumulatingProtocol()
        let client = AccumulatingProtocol()
        try network.host("server").listenTCP(port: 1, factory: Factory { [weak server] (_: Address) in server })
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        for word in ["one", "two"] {
            client.transport.write(word)
            try network.run(for: .seconds(1))
        }
        client.transport.loseConnection()
        try network.run(for: .seconds(1))
        #expect(
            seen == [
                "client>server#1 connect 0 ", "client>server#1 data 0 one", "client>server#1 data 3 two", "client>server#1 end 6 ",
                "server>client#1 end 0 ",
            ])
        try network.stop()
    }

    @Test(arguments: [SimulatedVerdict.end, .reset, .drop])
    func aRuleEndsAConnection(by verdict: SimulatedVerdict) throws {
        let scene = try Scene()
        scene.network.rule { $0.offset >= 3 ? verdict : .pass }
        try scene.say("one")
        try scene.say("two")
        #expect(scene.server.text == "one")
        switch verdict {
        case .end: #expect(scene.server.reason == .done && scene.client.reason == .done)
        case .reset: #expect(scene.server.reason == .lost && scene.client.reason == .lost)
        default: #expect(!scene.server.wasLost && !scene.client.wasLost)
        }
        try scene.network.stop()
    }

    @Test func aRuleDecidesAboutAttemptsToConnect() throws {
        #expect(try Scene { $0.rule { $0.kind == .connect ? .reset : .pass } }.outcome.failure == .refused)
        let dropped = try Scene { $0.rule { $0.kind == .connect ? .drop : .pass } }
        try dropped.network.run(for: .seconds(30))
        #expect(dropped.outcome.failure == .timedOut)
        var rule: SimulatedRule?
        let held = try Scene { network in rule = network.rule { $0.kind == .connect ? .hold : .pass } }
        #expect(!held.client.wasMade && held.outcome.failure == nil)
        rule?.remove()
        try held.network.run(for: .seconds(1))
        #expect(held.client.wasMade)
        let late = try Scene { $0.rule { $0.kind == .connect ? .deliver(after: .seconds(5)) : .pass } }
        #expect(!late.client.wasMade)
        try late.network.run(for: .seconds(5))
        #expect(late.client.wasMade)
        for network in [dropped.network, held.network, late.network] { try network.stop() }
    }

    @Test func aHeldEndOfAStreamArrivesWhenItIsReleased() throws {
        let scene = try Scene()
        let rule = scene.network.rule { $0.kind == .end && $0.from == "client" ? .hold : .pass }
        scene.client.transport.loseConnection()
        try scene.network.run(for: .seconds(10))
        #expect(!scene.server.wasLost)
        rule.remove()
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.reason == .done)
        try scene.network.stop()
    }

    @Test func healingRemovesRules() throws {
        let scene = try Scene()
        scene.network.rule { _ in .hold }
        try scene.say("hello")
        scene.network.heal()
        try scene.say("")
        #expect(scene.server.text == "hello")
        try scene.network.stop()
    }

    @Test func aProbeThatNoSeedReachesIsAnError() throws {
        try Simulation.check(seeds: 5, reaching: ["odd", "even"]) { $0.probe($0.seed % 2 == 0 ? "even" : "odd") }
        #expect(throws: SimulationError.unreached(["the moon"])) {
            try Simulation.check(seeds: 5, reaching: ["seven", "the moon"].filter { $0 != "seven" }) { $0.probe("seven") }
        }
        let network = SimulatedNetwork()
        network.probe("twice")
        network.probe("twice")
        #expect(network.probes == ["twice": 2])
        try network.stop()
    }

    @Test func faultsOfTheTestsOwnHappenInSomeSeedsSometimes() throws {
        var counts: [Int] = []
        for seed in 1...200 as ClosedRange<UInt64> {
            let network = SimulatedNetwork(seed: seed)
            #expect(!network.buggify("slow disk"), "nothing goes wrong without a plan")
            network.faults = .mild
            let happened = (0..<100).map { _ in network.buggify("slow disk") }
            let again = SimulatedNetwork(seed: seed)
            again.faults = .mild
            #expect(happened == (0..<100).map { _ in again.buggify("slow disk") })
            counts.append(happened.count { $0 })
        }
        let never = counts.count { $0 == 0 }
        #expect((30...70).contains(never), "in a quarter of all seeds it never happens: \(never)")
        #expect(counts.filter { $0 > 0 }.allSatisfy { (8...45).contains($0) })
    }

    @Test func anInvariantHoldsAfterEveryTurn() throws {
        let network = SimulatedNetwork()
        var balance = 0
        network.invariant("the balance is never negative") { balance >= 0 }
        network.after(.seconds(1)) { balance = 5 }
        try network.run(for: .seconds(2))
        network.after(.seconds(1)) { balance = -1 }
        network.after(.seconds(2)) { balance = 1 }
        #expect(throws: SimulationError.unmet("the balance is never negative")) { try network.run(for: .seconds(10)) }
        try network.stop()
    }

    @Test func whatAStepOfTheTestThrowsTheRunThrows() throws {
        struct Wrong: Error, Equatable {}
        let network = SimulatedNetwork()
        network.after(.seconds(1)) { throw Wrong() }
        try network.run(for: .milliseconds(999))
        #expect(throws: Wrong()) { try network.run(for: .milliseconds(1)) }
        try network.run(for: .seconds(1))
        try network.stop()
    }

    @Test func aWriteAfterTheEndIsNoted() throws {
        let scene = try Scene()
        scene.client.transport.loseConnection()
        #expect(scene.network.host("client").lateWriteCount == 0)
        scene.client.transport.write("too late")
        #expect(scene.network.host("client").lateWriteCount == 1)
        try scene.network.run(for: .seconds(1))
        scene.client.transport.write("far too late")
        #expect(scene.network.host("client").lateWriteCount == 2)
        scene.client.transport.write("")
        #expect(scene.network.host("client").lateWriteCount == 2, "nothing was written")
        #expect(scene.network.host("server").lateWriteCount == 0)
        try scene.network.stop()
    }
}
