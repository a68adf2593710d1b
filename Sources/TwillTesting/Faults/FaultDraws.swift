/// What chance decides about one direction of one connection, by a plan.
///
/// It knows no network: a ``SimulatedNetwork`` and a ``FaultyProxy`` do what it says.
struct FaultDraws {
    /// What becomes of an attempt to connect.
    enum Attempt {
        case connected
        case refused
        /// Nobody answers.
        case hangs
        /// It is connected, and reset at once.
        case reset
    }

    /// What becomes of a segment.
    struct Segment {
        /// How long it is held up, and all that is behind it.
        var stall: Duration?
        /// How long nothing more is taken after it.
        var zeroWindow: Duration?
        /// How many bytes of it arrive first; the rest follows, unless the connection ends.
        var head: Int
        /// How the connection ends after the head.
        var ending: FaultPlan.Ending?
    }

    var random: SimulatedRandom
    private let faults: FaultSwitch

    init(random: SimulatedRandom, faults: FaultSwitch) {
        self.random = random
        self.faults = faults
    }

    /// Whether something goes wrong that does so many times in a million.
    mutating func happens(_ fault: Fault, perMillion: Int) -> Bool {
        random.happens(perMillion: perMillion) && faults.allows(fault)
    }

    /// What becomes of an attempt to connect, and by how much it takes longer.
    mutating func attempt(_ plan: FaultPlan) -> (outcome: Attempt, delay: Duration) {
        if happens(.refusals, perMillion: plan.refusals) { return (.refused, .zero) }
        if happens(.hangs, perMillion: plan.hangs) { return (.hangs, .zero) }
        let delay = happens(.slowConnects, perMillion: plan.slowConnects) ? random.duration(upTo: plan.slownessMax) : .zero
        return (happens(.earlyResets, perMillion: plan.earlyResets) ? .reset : .connected, delay)
    }

    /// Into how many bytes what is sent at once is cut, where nothing else goes wrong with it.
    ///
    /// - Parameter size: what the link carries in one piece.
    static func pieceBytes(of count: Int, isByteByByte: Bool, atMost size: Int) -> Int {
        isByteByByte ? max(1, count / 1_000) : max(1, size)
    }

    /// What becomes of a segment of some bytes, so many having been sent before it.
    mutating func segment(of count: Int, at offset: Int, _ plan: FaultPlan) -> Segment {
        var result = Segment(head: count)
        if happens(.stalls, perMillion: plan.stalls) { result.stall = random.duration(upTo: plan.slownessMax) }
        if happens(.zeroWindows, perMillion: plan.zeroWindows) { result.zeroWindow = random.duration(upTo: plan.slownessMax) }
        if let cut = plan.cut, offset + count >= cut.offset, faults.allows(.cut) {
            result.head = max(0, cut.offset - offset)
            result.ending = cut.ending
        } else if let ending = ending(plan) {
            result.head = Int.random(in: 0...count, using: &random)
            result.ending = ending
        } else if count > 1, happens(.splits, perMillion: plan.splits) {
            result.head = Int.random(in: 1..<count, using: &random)
        }
        return result
    }

    /// What becomes of a datagram.
    mutating func datagram(_ plan: FaultPlan) -> (isLost: Bool, isDoubled: Bool, delay: Duration) {
        if happens(.losses, perMillion: plan.losses) { return (true, false, .zero) }
        let isDoubled = happens(.duplicates, perMillion: plan.duplicates)
        let isLate = happens(.reorderings, perMillion: plan.reorderings)
        return (false, isDoubled, isLate ? random.duration(upTo: plan.slownessMax) : .zero)
    }

    private mutating func ending(_ plan: FaultPlan) -> FaultPlan.Ending? {
        if happens(.ends, perMillion: plan.ends) { return .end }
        if happens(.resets, perMillion: plan.resets) { return .reset }
        if happens(.vanishes, perMillion: plan.vanishes) { return .vanish }
        return nil
    }
}
