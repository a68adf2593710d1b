import Testing
import Twill

@testable import TwillTesting

@Suite("Shrinking")
struct ShrinkingTests {
    /// A client that says a word a second for a minute, over a network that does all sorts of harmless things, and now and then a harmful one.
    private func scene(_ network: SimulatedNetwork) throws {
        var plan = FaultPlan.none
        plan.splits = 300_000
        plan.stalls = 50_000
        plan.slownessMax = .milliseconds(100)
        plan.resets = 20_000
        network.faults = plan
        try network.host("server").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        for _ in 0..<60 {
            try network.run(for: .seconds(1))
            client.transport.write("question")
        }
        try network.expect(!client.wasLost, "the client was lost")
    }

    @Test func oneFaultIsLeftWhereOneIsEnough() throws {
        let failure = try #require(throws: SimulationFailure.self) {
            try Simulation.check(try SeedPlan(seeds: 100, [:]), test: "shrinks()", scene)
        }
        #expect(failure.faults == [.resets: 1])
        #expect(failure.description.contains("with the faults: 1 resets\n"))
        #expect(failure.run.without.contains(.splits))
        #expect(failure.replayLine == "TWILL_SIM=\(failure.run) swift test --filter shrinks")
        // The smaller failure comes again by its line, and is not made smaller once more.
        let again = try #require(throws: SimulationFailure.self) {
            try Simulation.check(try SeedPlan(seeds: 100, ["TWILL_SIM": "\(failure.run)"]), test: "shrinks()", scene)
        }
        #expect(again.trace.digest == failure.trace.digest)
        #expect(again.run == failure.run)
    }

    @Test func aFailureStaysAsItIsWhereNoTriesAreAllowed() throws {
        let failure = try #require(throws: SimulationFailure.self) {
            try Simulation.check(try SeedPlan(seeds: 100, ["TWILL_SIM_SHRINK": "0"]), test: "stays()", scene)
        }
        #expect(failure.run == SimulationCase(seed: failure.seed))
        #expect(failure.faults.values.reduce(0, +) > 1)
        // Nor where a run was asked for by its name: that one is wanted, and no other.
        let named = try #require(throws: SimulationFailure.self) {
            try Simulation.check(try SeedPlan(seeds: 1, ["TWILL_SIM": "seed=\(failure.seed)"]), test: "stays()", scene)
        }
        #expect(named.run == failure.run)
    }

    @Test func aFailureThatNeedsNoFaultSaysSo() throws {
        let failure = try #require(throws: SimulationFailure.self) {
            try Simulation.check(try SeedPlan(seeds: 1, [:]), test: "always()") { network in
                try scene(network)
                throw SimulationError.unmet("always")
            }
        }
        #expect(failure.run.faults == 0)
        #expect(failure.description.contains("no fault was needed"))
    }

    /// Which failure is the smallest of a set of faults that fail together is known here, and so is how many runs it takes.
    @Test(arguments: [0, 1, 7, 1_000, 65_536])
    func theSearchTakesAsManyRunsAsTheNumberHasDigits(_ needed: Int) {
        var tries = 0
        func finding(_ run: SimulationCase) -> FaultShrinker.Finding? {
            let count = min(run.faults ?? .max, 100_000)
            guard count >= needed else { return nil }
            let failure = SimulationFailure(
                run: run, test: "", cause: SimulationError.nested, faults: run.without.contains(.stalls) ? [:] : [.stalls: count],
                trace: SimulationTrace())
            return FaultShrinker.Finding(run: run, failure: failure)
        }
        let start = FaultShrinker.Finding(
            run: SimulationCase(seed: 1),
            failure: SimulationFailure(
                run: SimulationCase(seed: 1), test: "", cause: SimulationError.nested, faults: [.stalls: 100_000], trace: SimulationTrace())
        )
        let found = FaultShrinker.shrink(start, tries: 18) { run in
            tries += 1
            return run.without.isEmpty ? finding(run) : nil
        }
        #expect(found.run.faults == needed)
        #expect(tries <= 18)
    }

    @Test func aFaultThatIsLeftOutChangesNoOtherNumber() {
        func draws(_ faults: FaultSwitch) -> [UInt64] {
            var draws = FaultDraws(random: SimulatedRandom(seed: 1), faults: faults)
            var plan = FaultPlan.none
            plan.losses = 500_000
            return (0..<100).map { _ in
                _ = draws.happens(.splits, perMillion: 500_000)
                return draws.random.next()
            }
        }
        #expect(draws(FaultSwitch()) == draws(FaultSwitch(limit: 3)))
        #expect(draws(FaultSwitch()) == draws(FaultSwitch(without: [.splits])))
    }
}
