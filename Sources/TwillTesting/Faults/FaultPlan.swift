/// What goes wrong on a link, and how often.
///
/// ```swift
/// var faults = FaultPlan.mild
/// faults.resets = 1_000                                       // one segment in a thousand
/// network.faults = faults
/// faults.cut = FaultPlan.Cut(at: 17, by: .vanish)             // each connection ends after 17 bytes
/// network.setFaults(faults, from: "client", to: "server")
/// ```
///
/// Numbers are how often something happens in a million times: to an attempt to connect, to a connection's direction, or to a segment that is sent.
/// A stream's bytes are never lost in the middle, doubled, changed or reordered, which is what TCP promises.
public struct FaultPlan: Hashable, Sendable, Codable {
    /// How the network ends a connection.
    public enum Ending: String, Hashable, Sendable, Codable {
        /// Both ends see the other one close in good order; who writes on sees a reset.
        case end
        /// Both ends see a reset; what arrived and was not read is lost.
        case reset
        /// Nothing arrives any more, on either side, and nobody is told. Who sends gives up after a quarter of an hour.
        case vanish
    }

    /// A place in a stream of bytes at which each connection ends.
    public struct Cut: Hashable, Sendable, Codable {
        /// How many bytes still arrive.
        public var offset: Int
        /// What happens then.
        public var ending: Ending

        /// Describes a cut.
        public init(at offset: Int, by ending: Ending) {
            self.offset = offset
            self.ending = ending
        }
    }

    // Of attempts to connect.
    /// Attempts that are refused though somebody listens.
    public var refusals = 0
    /// Attempts that nobody answers.
    public var hangs = 0
    /// Attempts that take longer, by up to ``slownessMax``.
    public var slowConnects = 0
    /// Connections that are reset before their first byte.
    public var earlyResets = 0

    // Of a connection's direction.
    /// Directions in which everything comes in single bytes; writes of more than a thousand bytes in a thousand pieces.
    public var byteByByte = 0

    // Of a segment.
    /// Segments that are split at random.
    public var splits = 0
    /// Segments that are held up, and all behind them, by up to ``slownessMax``.
    public var stalls = 0
    /// Segments in which the connection is closed, after some of their bytes.
    public var ends = 0
    /// Segments in which the connection is reset, after some of their bytes.
    public var resets = 0
    /// Segments in which the connection vanishes, after some of their bytes.
    public var vanishes = 0

    /// How long a slow attempt or a stall takes at the most; ten seconds unless set.
    public var slownessMax = Duration.seconds(10)
    /// Where every connection ends in this direction.
    public var cut: Cut?

    /// A plan in which nothing goes wrong.
    public init() {}

    /// Nothing goes wrong.
    public static let none = FaultPlan()

    /// What happens on a good day: pieces of any size, a stall now and then. No connection is lost.
    public static let mild: FaultPlan = {
        var plan = FaultPlan()
        plan.slowConnects = 50_000
        plan.byteByByte = 50_000
        plan.splits = 300_000
        plan.stalls = 1_000
        plan.slownessMax = .seconds(1)
        return plan
    }()

    /// A plan that a seed draws: about half of the faults don't happen at all, the others up to wildly often. What none of many plans finds, an
    /// average one hides.
    public static func swarm(seed: UInt64) -> FaultPlan {
        var random = SimulatedRandom(seed: seed, name: "swarm")
        func rate(upTo limit: Int) -> Int { random.happens(perMillion: 500_000) ? Int.random(in: 0...limit, using: &random) : 0 }
        var plan = FaultPlan()
        plan.refusals = rate(upTo: 300_000)
        plan.hangs = rate(upTo: 100_000)
        plan.slowConnects = rate(upTo: 500_000)
        plan.earlyResets = rate(upTo: 200_000)
        plan.byteByByte = rate(upTo: 1_000_000)
        plan.splits = rate(upTo: 1_000_000)
        plan.stalls = rate(upTo: 100_000)
        plan.ends = rate(upTo: 10_000)
        plan.resets = rate(upTo: 10_000)
        plan.vanishes = rate(upTo: 2_000)
        plan.slownessMax = .seconds(Int64.random(in: 1...60, using: &random))
        return plan
    }
}
