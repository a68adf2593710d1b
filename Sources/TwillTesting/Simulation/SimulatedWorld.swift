import Synchronization
import Twill

/// The time that the reactors of one simulation share, and the loop that takes them through it; all on one thread.
///
/// A turn does at one moment what ``/Twill/Reactor`` says, for each running reactor in the order in which they were made; then the time jumps to
/// when something happens next. What a turn adds belongs to the next one, even where that is at the same moment.
final class SimulatedWorld {
    /// So many turns may follow each other at one moment; from then on each takes as long as it does at the latest, so that a loop which always
    /// has something to do still sees the time go by.
    private static let turnsPerMomentMax = 1_000
    private static let busyTime = Duration.milliseconds(1)

    /// A reactor takes itself out before it goes.
    private struct Member {
        let number: Int
        unowned let reactor: SimulatedReactor
    }

    let time = ManualClock()
    let bell = SimulatedBell()
    let wiring: SimulatedWiring
    private var agenda = Agenda()
    private var members: [Member] = []
    /// The members while the loop runs: each turn looks at all of them.
    private var present: [SimulatedReactor] = []
    /// When the next of their timers is due.
    private var nextTimer = ReactorClock.Instant.never
    /// Whether one of them has put something off to the next turn.
    var hasWork = false
    private var nextMember = 0
    private var turnsAtThisMoment = 0
    private var current: SimulatedReactor?
    private(set) var isLooping = false
    private(set) var trace = SimulationTrace()
    private(set) var violations: [String] = []
    /// What must hold after each turn.
    var invariants: [(sentence: String, holds: () -> Bool)] = []
    /// What a step of the test's has thrown, which the run throws.
    private var failure: (any Error)?

    init(seed: UInt64, faultSwitch: FaultSwitch = FaultSwitch()) {
        wiring = SimulatedWiring(seed: seed, faultSwitch: faultSwitch)
    }

    var now: ReactorClock.Instant { time.now }

    /// Takes a reactor in; the number is what ``remove(_:)`` wants.
    func add(_ reactor: SimulatedReactor) -> Int {
        nextMember += 1
        members.append(Member(number: nextMember, reactor: reactor))
        if isLooping {
            present.append(reactor)
            after(.zero) { reactor.begin() }
        }
        return nextMember
    }

    func remove(_ number: Int) {
        members.removeAll { $0.number == number }
    }

    /// Lets something happen after a delay; with none, on the next turn. A wait for what may not happen keeps no network from being quiet.
    func after(_ delay: Duration, isWait: Bool = false, _ event: @escaping () -> Void) {
        agenda.add(at: now.advanced(by: delay), isWait: isWait, event)
    }

    /// Whether something will happen that is no mere wait.
    var isUnderWay: Bool { hasWork || bell.isRinging || agenda.underWayCount > 0 }

    /// Notes what happened.
    func note(_ step: SimulationTrace.Step, _ place: String, _ key: UInt64, _ count: Int = 0) {
        trace.note(step, place, key, count, at: now)
    }

    /// Notes what no run may do; the first of them say it all.
    func violated(_ rule: String) {
        if violations.count < 10 { violations.append(rule) }
    }

    /// Makes a step of the test's; what it throws the run throws.
    func attempt(_ step: () throws -> Void) {
        do {
            try step()
        } catch {
            failure = failure ?? error
        }
    }

    /// Lets something happen at a moment.
    func at(_ moment: ReactorClock.Instant, _ event: @escaping () -> Void) {
        agenda.add(at: moment, event)
    }

    /// Makes what follows happen on a reactor's thread, as its tasks see it.
    func enter(_ reactor: SimulatedReactor) {
        guard current !== reactor else { return }
        leave()
        reactor.handle.beginLoop()
        current = reactor
    }

    /// Makes something happen on a reactor's thread out of its turn, and goes back.
    func visit(_ reactor: SimulatedReactor, _ body: () -> Void) {
        let interrupted = current
        enter(reactor)
        body()
        leave()
        if let interrupted { enter(interrupted) }
    }

    private func leave() {
        current?.handle.endLoop()
        current = nil
    }

    /// Lets time go by until something holds, or to an end, which is reached even where nothing happens.
    ///
    /// - Returns: whether it holds.
    func run(to end: ReactorClock.Instant = .never, until isOver: () throws -> Bool) throws -> Bool {
        guard !isLooping else { throw SimulationError.nested }
        isLooping = true
        present = members.map(\.reactor)
        defer {
            leave()
            isLooping = false
            present = []
        }
        for reactor in present where reactor.isNew { reactor.begin() }
        while true {
            if try isOver() { return true }
            let next = nextTime
            guard next <= end, next != .never else {
                guard end != .never else { throw SimulationError.nothingLeft }
                time.advance(to: end)
                return false
            }
            advance(to: next)
            turn()
            if failure != nil || !invariants.isEmpty { try judge() }
        }
    }

    private func judge() throws {
        if let error = failure {
            failure = nil
            throw error
        }
        for invariant in invariants where !invariant.holds() { throw SimulationError.unmet(invariant.sentence) }
    }

    private func advance(to moment: ReactorClock.Instant) {
        guard moment <= now else {
            turnsAtThisMoment = 0
            return time.advance(to: moment)
        }
        turnsAtThisMoment += 1
        if turnsAtThisMoment > Self.turnsPerMomentMax {
            turnsAtThisMoment = 0
            time.advance(by: Self.busyTime)
        }
    }

    private var nextTime: ReactorClock.Instant {
        nextTimer = .never
        for reactor in present {
            nextTimer = min(nextTimer, reactor.nextTime)
        }
        if hasWork || bell.isRinging { return now }
        return max(min(agenda.nextTime, nextTimer), now)
    }

    private func turn() {
        if hasWork {
            hasWork = false
            forEachReactor { $0.finishWhatWasPutOff() }
        }
        let mark = agenda.mark
        while let event = agenda.takeNext(dueAt: now, before: mark) { event() }
        if nextTimer <= now { forEachReactor { $0.fireTimers() } }
        if bell.silence() { forEachReactor { $0.hearCalls() } }
    }

    /// Calls may add reactors; those have their turn, too.
    private func forEachReactor(_ body: (SimulatedReactor) -> Void) {
        var index = 0
        while index < present.count {
            body(present[index])
            index += 1
        }
    }
}

/// Says that some reactor of a simulation was handed a call, by whatever thread.
final class SimulatedBell: Sendable {
    private let rings = Atomic(false)

    var isRinging: Bool { rings.load(ordering: .relaxed) }

    func ring() {
        rings.store(true, ordering: .releasing)
    }

    /// Ends the ringing; whether it rang.
    func silence() -> Bool {
        isRinging && rings.exchange(false, ordering: .acquiring)
    }
}
