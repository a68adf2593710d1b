/// A small generator whose whole state is its seed (SplitMix64), so that a run can be had again.
///
/// Each host and each direction of each connection has one of its own, derived from the network's seed and a name: what happens in one place
/// changes no number in another.
public struct SimulatedRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Makes the generator of a seed.
    public init(seed: UInt64) {
        state = seed
    }

    /// Makes the generator of a seed that belongs to a name; the same on every machine and in every process.
    public init(seed: UInt64, name: String) {
        state = seed ^ name.stableHash
        _ = next()
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Whether something happens that happens so many times in a million.
    public mutating func happens(perMillion: Int) -> Bool {
        perMillion > 0 && Int(next() % 1_000_000) < perMillion
    }

    /// A duration from zero to a limit, which is included, in whole nanoseconds.
    public mutating func duration(upTo limit: Duration) -> Duration {
        guard limit > .zero else { return .zero }
        return .nanoseconds(Int64.random(in: 0...limit.nanoseconds, using: &self))
    }
}

extension String {
    /// A number that stands for the text, in every process; Swift's own hashes differ. FNV-1a.
    var stableHash: UInt64 {
        utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}

extension Duration {
    /// The duration in whole nanoseconds.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
