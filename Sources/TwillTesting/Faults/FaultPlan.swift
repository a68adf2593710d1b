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
/// Numbers are how often something happens in a million times: to an attempt to connect, to a connection's direction, to a segment or datagram that is sent, to a look-up,
/// in a second of a host's life.
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
    /// Segments after which the receiver takes nothing more, for up to ``slownessMax``: what is written meanwhile waits in the writer's process.
    public var zeroWindows = 0
    /// Segments in which the connection is closed, after some of their bytes.
    public var ends = 0
    /// Segments in which the connection is reset, after some of their bytes.
    public var resets = 0
    /// Segments in which the connection vanishes, after some of their bytes.
    public var vanishes = 0

    // Of a datagram.
    /// Datagrams that are lost.
    public var losses = 0
    /// Datagrams that arrive twice.
    public var duplicates = 0
    /// Datagrams that are late, by up to ``slownessMax``, so that others overtake them.
    public var reorderings = 0

    // Of what a host does. They go by the network's own plan, not by a link's.
    /// Look-ups of names that fail: nobody has the name.
    public var unknownNames = 0
    /// Look-ups that take longer, by up to ``slownessMax``.
    public var slowNames = 0
    /// Attempts to accept or to connect at which the host has no descriptor left, from then on for up to ``slownessMax``. Who connects meanwhile is told;
    /// who would be accepted waits.
    public var descriptorShortages = 0

    // Of a second in the life of a host that has a program: see ``SimulatedNetwork/boot(_:_:)``.
    /// Seconds in which its process is killed; it starts again after up to ``slownessMax``.
    public var crashes = 0
    /// Seconds in which the whole host goes dark, and starts again after up to ``slownessMax``: nobody is told of its connections' end.
    public var blackouts = 0
    /// Seconds in which its process gets a SIGTERM; it starts again after up to ``slownessMax``, once it has ended.
    public var terminations = 0
    /// Seconds in which its wall clock jumps, by up to an hour either way.
    public var clockSteps = 0

    /// How long what is slow takes at the most: an attempt, a stall, a look-up, a host that is down. Ten seconds unless set.
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
        plan.losses = 10_000
        plan.duplicates = 1_000
        plan.reorderings = 10_000
        plan.slowNames = 50_000
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
        plan.zeroWindows = rate(upTo: 50_000)
        plan.losses = rate(upTo: 300_000)
        plan.duplicates = rate(upTo: 100_000)
        plan.reorderings = rate(upTo: 100_000)
        plan.unknownNames = rate(upTo: 100_000)
        plan.slowNames = rate(upTo: 300_000)
        plan.descriptorShortages = rate(upTo: 50_000)
        plan.crashes = rate(upTo: 10_000)
        plan.blackouts = rate(upTo: 3_000)
        plan.terminations = rate(upTo: 5_000)
        plan.clockSteps = rate(upTo: 10_000)
        return plan
    }
}
