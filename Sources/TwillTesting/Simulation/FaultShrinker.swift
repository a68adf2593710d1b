/// Finds a run that fails as well with fewer faults: first the smallest number of them from the beginning, then kinds that don't matter.
struct FaultShrinker {
    /// What is known of a run that failed.
    struct Finding {
        var run: SimulationCase
        var failure: SimulationFailure

        /// The faults that have happened in it.
        var faults: [Fault: Int] { failure.faults }
        var count: Int { faults.values.reduce(0, +) }
    }

    /// How many runs may still be tried.
    private var triesLeft: Int
    private let attempt: (SimulationCase) -> Finding?
    private var best: Finding

    /// - Parameters:
    ///   - tries: how many runs it may take.
    ///   - attempt: what comes of a run; nil where it does not fail.
    private init(_ finding: Finding, tries: Int, attempt: @escaping (SimulationCase) -> Finding?) {
        best = finding
        triesLeft = tries
        self.attempt = attempt
    }

    /// The smallest failure that was found: the given one, where no smaller one is.
    static func shrink(_ finding: Finding, tries: Int, attempt: (SimulationCase) -> Finding?) -> Finding {
        withoutActuallyEscaping(attempt) { attempt in
            var shrinker = FaultShrinker(finding, tries: tries, attempt: attempt)
            shrinker.lowerTheCount()
            shrinker.leaveOutKinds()
            // With kinds left out, the others have other numbers.
            shrinker.lowerTheCount()
            return shrinker.best
        }
    }

    private mutating func lowerTheCount() {
        // Fewer than `low` faults were seen to be too few, or nothing was; `best.count` were enough.
        var low = 0
        while low < best.count, triesLeft > 0 {
            var run = best.run
            run.faults = low + (best.count - low - 1) / 2
            if !fails(run) { low = (run.faults ?? low) + 1 }
        }
    }

    private mutating func leaveOutKinds() {
        for kind in best.faults.keys.sorted(by: { $0.rawValue < $1.rawValue }) where triesLeft > 0 && best.faults[kind] != nil {
            var run = best.run
            run.without.insert(kind)
            _ = fails(run)
        }
    }

    /// Tries a run, and keeps it where it fails with no more faults than the best so far.
    private mutating func fails(_ run: SimulationCase) -> Bool {
        triesLeft -= 1
        guard let finding = attempt(run), finding.count <= best.count else { return false }
        best = finding
        return true
    }
}
