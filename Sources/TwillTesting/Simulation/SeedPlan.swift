/// Which runs are made, as the environment says.
struct SeedPlan {
    let only: SimulationCase?
    let first: UInt64
    let count: UInt64
    let seconds: Int?
    let runsTwice: Bool
    /// How many runs may be spent on making a failure smaller.
    let triesToShrink: Int

    /// - Throws: ``SimulationError/badCase(_:part:)``, ``SimulationError/badVariable(_:_:)``.
    init(seeds: Int, _ environment: [String: String]) throws(SimulationError) {
        func number(_ name: String) throws(SimulationError) -> Int? {
            guard let text = environment[name] else { return nil }
            guard let number = Int(text), number >= 0 else { throw .badVariable(name, text) }
            return number
        }
        if let text = environment["TWILL_SIM"] { only = try SimulationCase(text) } else { only = nil }
        first = UInt64(try number("TWILL_SIM_FROM") ?? 1)
        count = UInt64(try number("TWILL_SIM_SEEDS") ?? max(0, seeds))
        seconds = try number("TWILL_SIM_TIME")
        triesToShrink = try number("TWILL_SIM_SHRINK") ?? 50
        runsTwice = try number("TWILL_SIM_CHECK") == 1
    }

    func forEachRun(_ body: (SimulationCase) throws -> Void) rethrows {
        if let only { return try body(only) }
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        var seed = first
        while end.map({ ContinuousClock.now < $0 }) ?? (seed - first < count) {
            try body(SimulationCase(seed: seed))
            seed += 1
        }
    }
}
