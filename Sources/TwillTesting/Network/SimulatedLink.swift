import Twill

/// The way from one host to another, what it is like now, and what goes wrong on it.
final class SimulatedLink {
    /// Both hosts' names, from which the random numbers of its connections are derived.
    let name: String
    let from: String
    let to: String
    private let seed: UInt64
    private let faultSwitch: FaultSwitch
    private var connectionCount = 0
    /// Read for each segment, and therefore kept as plain numbers.
    private(set) var latency: Int64 = 0
    private(set) var jitter: Int64 = 0
    private(set) var hasFaults = false
    /// What was sent while the link is held, in its order; nil where it is not held.
    private var held: [() -> Void]?

    var conditions = LinkConditions() {
        didSet {
            latency = conditions.latency.nanoseconds
            jitter = conditions.jitter.nanoseconds
        }
    }

    var faults = FaultPlan.none {
        didSet { hasFaults = faults != .none }
    }

    init(from: String, to: String, seed: UInt64, faultSwitch: FaultSwitch) {
        name = "\(from)>\(to)"
        self.from = from
        self.to = to
        self.seed = seed
        self.faultSwitch = faultSwitch
    }

    /// The way that all of its datagrams share.
    func datagramPath() -> SimulatedPath {
        let name = "\(name) datagrams"
        let random = SimulatedRandom(seed: seed, name: name)
        return SimulatedPath(link: self, name: name, number: 0, draws: FaultDraws(random: random, faults: faultSwitch))
    }

    /// The next connection's own way.
    func newPath() -> SimulatedPath {
        connectionCount += 1
        let name = "\(name)#\(connectionCount)"
        let random = SimulatedRandom(seed: seed, name: name)
        return SimulatedPath(link: self, name: name, number: connectionCount, draws: FaultDraws(random: random, faults: faultSwitch))
    }

    var isHeld: Bool { held != nil }

    /// Holds up what is sent from now on.
    func hold() {
        if held == nil { held = [] }
    }

    /// Keeps what is to be sent when the link is released.
    func keep(_ sending: @escaping () -> Void) {
        held?.append(sending)
    }

    /// Sends what was held up, and what comes.
    func release() {
        let waiting = held ?? []
        held = nil
        for sending in waiting { sending() }
    }
}

extension SimulatedPath {
    /// Takes what is to be sent where it is held up; false where nothing holds it.
    func keepsWhileHeld(_ sending: @escaping () -> Void) -> Bool {
        if let holder, holder.isInForce {
            holder.keep(sending)
        } else if link.isHeld {
            link.keep(sending)
        } else {
            return false
        }
        return true
    }

    /// Whether something holds it up.
    var isHeld: Bool { link.isHeld || holder?.isInForce == true }
}

/// One direction of one connection: when what is sent now arrives. Invariant: nothing arrives before what was sent before it.
struct SimulatedPath {
    let link: SimulatedLink
    /// The link's name, and which connection of it this is.
    let name: String
    let number: Int
    /// What stands for the name in digests.
    let key: UInt64
    var draws: FaultDraws
    /// Whether every byte comes for itself.
    let isByteByByte: Bool
    /// Whether nothing arrives any more.
    var isDead = false
    /// Until when the receiver takes nothing more.
    var closedUntil = ReactorClock.Instant(nanoseconds: 0)
    /// The rule that holds everything up, from something it has decided about on.
    var holder: SimulatedRule?
    private var isFreeAt: Int64 = 0
    private var lastArrival: Int64 = 0

    init(link: SimulatedLink, name: String, number: Int, draws: FaultDraws) {
        self.link = link
        self.name = name
        self.number = number
        key = name.stableHash
        self.draws = draws
        isByteByByte = self.draws.happens(.byteByByte, perMillion: link.faults.byteByByte)
    }

    /// Sends so many bytes; when the last of them arrives.
    mutating func arrival(of count: Int = 0, sentAt now: ReactorClock.Instant) -> ReactorClock.Instant {
        var moment = max(isFreeAt, now.nanoseconds)
        if let rate = link.conditions.bytesPerSecond, count > 0 {
            moment += Int64(count) * 1_000_000_000 / Int64(max(1, rate))
            isFreeAt = moment
        }
        moment += link.latency
        if link.jitter > 0 { moment += Int64.random(in: 0...link.jitter, using: &draws.random) }
        lastArrival = max(lastArrival, moment)
        return ReactorClock.Instant(nanoseconds: lastArrival)
    }

    /// Sends a datagram; when it arrives, which may be before what was sent earlier.
    mutating func datagramArrival(of count: Int, sentAt now: ReactorClock.Instant) -> ReactorClock.Instant {
        let last = lastArrival
        lastArrival = 0
        defer { lastArrival = last }
        return arrival(of: count, sentAt: now)
    }

    /// When all that was sent has left.
    var freeTime: ReactorClock.Instant { ReactorClock.Instant(nanoseconds: isFreeAt) }

    /// Sends nothing for a while.
    mutating func stall(for duration: Duration, from now: ReactorClock.Instant) {
        isFreeAt = max(isFreeAt, now.nanoseconds) + duration.nanoseconds
    }
}
