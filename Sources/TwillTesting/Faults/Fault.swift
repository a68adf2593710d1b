/// A kind of thing that goes wrong, named as the ``FaultPlan`` names how often it does.
public enum Fault: String, Hashable, Sendable, Codable, CaseIterable {
    // Of attempts to connect.
    case refusals, hangs, slowConnects, earlyResets
    // Of a connection's direction, and of its segments.
    case byteByByte, splits, stalls, zeroWindows, ends, resets, vanishes, cut
    // Of datagrams.
    case losses, duplicates, reorderings
    // Of looking names up, and of a host's descriptors.
    case unknownNames, slowNames, descriptorShortages
    // Of a host's life.
    case crashes, blackouts, terminations, clockSteps
    // Of the test's own.
    case buggify
}

/// Which of the faults that chance decides on really happen: all of them, unless a failure is being made smaller.
///
/// Each decision has a number, in the order in which they are made. All chance is drawn whether its fault happens or not, so that what is left out
/// changes no other number.
final class FaultSwitch {
    /// How many faults happen; later ones don't.
    let limit: Int
    /// Kinds that never happen.
    let without: Set<Fault>
    /// How many were decided on so far.
    private(set) var count = 0
    /// How often each kind has happened.
    private(set) var happened: [Fault: Int] = [:]

    init(limit: Int = .max, without: Set<Fault> = []) {
        self.limit = limit
        self.without = without
    }

    /// Whether a fault that was decided on happens.
    func allows(_ fault: Fault) -> Bool {
        guard !without.contains(fault) else { return false }
        count += 1
        guard count <= limit else { return false }
        happened[fault, default: 0] += 1
        return true
    }
}
