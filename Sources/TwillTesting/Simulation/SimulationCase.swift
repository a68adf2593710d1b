/// One run of a scene: its seed, and which of the faults that the seed decides on happen.
///
/// Its text is what the environment variable `TWILL_SIM` takes: `seed=42`, or `seed=42,faults=7,without=splits+stalls`.
public struct SimulationCase: Hashable, Sendable {
    /// Where all random numbers of the run begin.
    public let seed: UInt64
    /// How many faults happen, in the order in which they are decided on; nil for all.
    public internal(set) var faults: Int?
    /// Kinds of faults that don't happen.
    public internal(set) var without: Set<Fault> = []

    init(seed: UInt64) {
        self.seed = seed
    }

    /// Reads what a failure has printed.
    init(_ text: String) throws(SimulationError) {
        var seed: UInt64?
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw .badCase(text, part: String(part)) }
            let value = pair[1]
            switch pair[0] {
            case "seed" where UInt64(value) != nil: seed = UInt64(value)
            case "faults" where Int(value) ?? -1 >= 0: faults = Int(value)
            case "without":
                for name in value.split(separator: "+") {
                    guard let fault = Fault(rawValue: String(name)) else { throw .badCase(text, part: String(name)) }
                    without.insert(fault)
                }
            default: throw .badCase(text, part: String(part))
            }
        }
        guard let seed else { throw .badCase(text, part: "seed") }
        self.seed = seed
    }

    var faultSwitch: FaultSwitch { FaultSwitch(limit: faults ?? .max, without: without) }
}

extension SimulationCase: CustomStringConvertible {
    public var description: String {
        var text = "seed=\(seed)"
        if let faults { text += ",faults=\(faults)" }
        if !without.isEmpty { text += ",without=" + without.map(\.rawValue).sorted().joined(separator: "+") }
        return text
    }
}
