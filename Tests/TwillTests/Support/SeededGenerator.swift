import Foundation

/// A small generator whose whole state is its seed, so that a failure can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// The seeds of property tests, each of which is an argument of the test and so is named where it fails.
enum Seeds {
    /// This many seeds, from 1 on. The environment changes that: PROPERTY_ROUNDS=n for n times as many, PROPERTY_SEED=n for that one alone.
    static func first(_ count: UInt64) -> ClosedRange<UInt64> {
        if let seed = number("PROPERTY_SEED") { return seed...seed }
        return 1...count * max(1, number("PROPERTY_ROUNDS") ?? 1)
    }

    private static func number(_ variable: String) -> UInt64? {
        ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) }
    }
}
