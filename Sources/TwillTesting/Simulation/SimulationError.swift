/// Why a simulation can't go on.
public enum SimulationError: Error, Hashable, CustomStringConvertible, Sendable {
    /// Nothing will ever happen again, and the reactor was not stopped: no timer, no byte under way.
    case nothingLeft
    /// Time was to go by inside of a callback, which is a moment of it.
    case nested
    /// Something is still under way though it should have come to rest.
    case notQuiet(String)
    /// What the test expects does not hold.
    case unmet(String)
    /// Two runs of a seed were not the same: something draws on what is outside of the simulation.
    case notTheSame(seed: UInt64)
    /// No seed has reached these probes: the test proves nothing about what is there.
    case unreached([String])
    /// `TWILL_SIM` does not say what a failure prints.
    case badCase(_ text: String, part: String)
    /// An environment variable is no number.
    case badVariable(_ name: String, _ value: String)

    public var description: String {
        switch self {
        case .nothingLeft: "nothing is left that could happen, and nobody has stopped the reactor: something waits for what never comes"
        case .notQuiet(let rest): "the network has not come to rest \(rest)"
        case .unmet(let sentence): sentence
        case .notTheSame(let seed):
            "two runs of seed \(seed) were not the same: time and random numbers must be the reactor's, and nothing must hang on a Set's order"
        case .unreached(let names):
            "no seed has reached " + names.joined(separator: ", ") + ": run more seeds, or make the faults that lead there likelier"
        case .badCase(let text, let part):
            "TWILL_SIM=\(text) can't be read at '\(part)': give seed=N, and if you like faults=N and without=KIND+KIND, of "
                + Fault.allCases.map(\.rawValue).joined(separator: ", ")
        case .badVariable(let name, let value): "\(name)=\(value) is no number from 0 on"
        case .nested: "the simulation is running already: let time go by in the test, not in a callback"
        }
    }
}
