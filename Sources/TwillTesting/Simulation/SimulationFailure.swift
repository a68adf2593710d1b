/// A run on which a scene has failed, and how to have it again.
public struct SimulationFailure: Error, CustomStringConvertible, Sendable {
    /// The run, with as few faults as were found to be enough.
    public let run: SimulationCase
    /// The test that has failed.
    public let test: String
    /// What was thrown.
    public let cause: any Error
    /// How often each kind of fault happened in the run.
    public let faults: [Fault: Int]
    /// What happened before.
    public let trace: SimulationTrace

    /// The seed.
    public var seed: UInt64 { run.seed }

    /// The command that does it again.
    public var replayLine: String { "TWILL_SIM=\(run) swift test --filter \(test)" }

    public var description: String {
        let kinds = faults.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
        let needed = kinds.isEmpty ? "no fault was needed" : "with the faults: " + kinds.joined(separator: ", ")
        return "seed \(seed): \(cause)\n\(needed)\nagain: \(replayLine)\n\(trace.text)"
    }
}
