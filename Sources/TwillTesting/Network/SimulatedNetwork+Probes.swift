/// What a scene says about itself.
extension SimulatedNetwork {
    /// Adds a rule, which decides about each segment before the fault plan does; see ``SimulatedRule``. ``heal()`` removes it.
    @discardableResult
    public func rule(_ decide: @escaping (SimulatedSegment) -> SimulatedVerdict) -> SimulatedRule {
        let rule = SimulatedRule(decide) { [unowned world] in world.wiring.remove($0) }
        world.wiring.add(rule)
        return rule
    }

    /// Notes that something rare was reached: a branch that only faults lead to. ``Simulation/check(seeds:reaching:test:_:)`` fails where no seed gets
    /// there, because such a test proves nothing about it.
    public func probe(_ name: String) {
        probes[name, default: 0] += 1
    }

    /// Whether a fault of the test's own happens now: in a quarter of all seeds never and in the others once in four times, while there is a fault plan.
    ///
    /// Each name has random numbers of its own. Like any other fault, it is left out where a failure can do without it.
    public func buggify(_ name: String) -> Bool {
        guard faults != .none else { return false }
        if buggy[name] == nil {
            buggy[name] = FaultDraws(random: SimulatedRandom(seed: seed, name: "buggify \(name)"), faults: world.wiring.faultSwitch)
        }
        guard var draws = buggy.removeValue(forKey: name) else { return false }
        defer { buggy[name] = draws }
        var first = SimulatedRandom(seed: seed, name: "buggify at all \(name)")
        guard first.happens(perMillion: 750_000), draws.happens(.buggify, perMillion: 250_000) else { return false }
        world.note(.buggify, name, name.stableHash)
        return true
    }

    /// Adds something that must hold after every turn of every host; where it does not, the running simulation throws ``SimulationError/unmet(_:)`` with
    /// the sentence. ``stop()`` ends it.
    public func invariant(_ sentence: String, _ holds: @escaping () -> Bool) {
        world.invariants.append((sentence, holds))
    }
}
