import Twill

/// The way from one host to another, and what it is like now.
final class SimulatedLink {
    /// Both hosts' names, from which the random numbers of its connections are derived.
    let name: String
    private let seed: UInt64
    private var connectionCount = 0
    /// Read for each segment, and therefore kept as plain numbers.
    private(set) var latency: Int64 = 0
    private(set) var jitter: Int64 = 0
    var conditions: LinkConditions {
        didSet { noteConditions() }
    }

    init(name: String, seed: UInt64, conditions: LinkConditions) {
        self.name = name
        self.seed = seed
        self.conditions = conditions
        noteConditions()
    }

    private func noteConditions() {
        latency = conditions.latency.nanoseconds
        jitter = conditions.jitter.nanoseconds
    }

    /// The next connection's own way.
    func newPath() -> SimulatedPath {
        connectionCount += 1
        return SimulatedPath(link: self, random: SimulatedRandom(seed: seed, name: "\(name)#\(connectionCount)"))
    }
}

/// One direction of one connection: when what is sent now arrives. Invariant: nothing arrives before what was sent before it.
struct SimulatedPath {
    let link: SimulatedLink
    var random: SimulatedRandom
    private var isFreeAt: Int64 = 0
    private var lastArrival: Int64 = 0

    init(link: SimulatedLink, random: SimulatedRandom) {
        self.link = link
        self.random = random
    }

    /// Sends so many bytes; when the last of them arrives.
    mutating func arrival(of count: Int = 0, sentAt now: ReactorClock.Instant) -> ReactorClock.Instant {
        var moment = now.nanoseconds
        if let rate = link.conditions.bytesPerSecond, count > 0 {
            isFreeAt = max(isFreeAt, moment) + Int64(count) * 1_000_000_000 / Int64(max(1, rate))
            moment = isFreeAt
        }
        moment += link.latency
        if link.jitter > 0 { moment += Int64.random(in: 0...link.jitter, using: &random) }
        lastArrival = max(lastArrival, moment)
        return ReactorClock.Instant(nanoseconds: lastArrival)
    }
}
