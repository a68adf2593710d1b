public import Logging
public import Twill

/// A reactor whose time is virtual: an hour of timeouts passes in no time, and always in the same way.
///
/// ```swift
/// let reactor = SimulatedReactor()
/// var ticks = 0
/// let loop = LoopingCall(on: reactor) { ticks += 1 }
/// try loop.start(.seconds(60))
/// try reactor.run(for: .seconds(3600))
/// #expect(ticks == 61)
/// ```
///
/// # Contract
/// What ``/Twill/Reactor`` says: timers, system events, calls from threads, tasks and `reactor.clock` work unchanged. In addition:
/// - Callbacks take no time. Time passes inside ``run(for:)``, ``run(until:)``, ``run(within:until:)`` and `run()` alone, from one event to the
///   next; a loop that never sleeps sees a millisecond go by with each thousand turns.
/// - The same calls happen in the same order each time. `deferToThread` does its work on this thread, on the next turn.
/// - `run()` throws ``SimulationError/nothingLeft`` where a real reactor would sleep for ever.
/// - What really runs on other threads is not waited for, `callInThread` for one, and an actor that belongs to no reactor.
/// - A reactor that runs is not stopped when the test ends: ``/Twill/Reactor/stop()`` it, or its connections and their protocols hold each other.
///
/// Twisted: `twisted.internet.task.Clock`, `MemoryReactorClock`.
public final class SimulatedReactor: Reactor {
    public let handle: ReactorHandle
    public let clock: ReactorClock
    public let threadPool = ThreadPool()
    public var logger: Logger
    public lazy var resolver: any Resolver = SimulatedResolver(self)
    public var randomNumbers: any RandomNumberGenerator
    public internal(set) var isRunning = false
    /// Its name on the network.
    public let name: String
    /// How often something was written here to a connection after it was told to close, or after it was lost. That is allowed, and does nothing; a server
    /// that never should do so can be held to it.
    public internal(set) var lateWriteCount = 0
    /// Its address on the network; the port means nothing.
    public private(set) var address = IPv4Address.loopback

    let world: SimulatedWorld
    let nameKey: UInt64
    /// The how-manieth process of its host it is.
    private let start: Int
    /// What chance decides about this host.
    var draws: FaultDraws
    /// How far its wall clock is from the simulation's.
    var wallClockSkew: Duration
    /// Until when it has no descriptor left.
    var shortageEnd = ReactorClock.Instant(nanoseconds: 0)
    /// Whether its process was killed: nothing happens on it any more.
    var isDead = false
    let timers: TimerQueue
    lazy var events = SystemEvents(
        logger: { [unowned self] in logger },
        later: { [unowned self] in later($0) })
    private var number = 0
    /// Calls that the next turn makes first.
    var soon: [() -> Void] = []
    /// Whether something waits for the next turn.
    var hasWork = false {
        didSet { if hasWork, isRunning { world.hasWork = true } }
    }
    /// Whether it has never run.
    var isNew = true
    var isStopRequested = false
    var isShuttingDown = false

    // Of the connections, in SimulatedReactor+Network.swift and SimulatedReactor+Connections.swift.
    var ports: [SimulatedPort] = []
    var datagramPorts: [SimulatedDatagramPort] = []
    var dialers: [SimulatedDialer] = []
    /// Open connections, each in its slot: what keeps them.
    var transports: [SimulatedTransport?] = []
    var freeSlots: [Int] = []
    /// Those that have put something off to the next turn.
    var visits: [SimulatedTransport] = []
    /// Those that have written something in this callback.
    var staged: [SimulatedTransport] = []
    /// What outgoing connections count.
    let outgoing = SimulatedCounters()
    /// The same, and what each port counts or has counted.
    lazy var counters = [outgoing]
    var nextPortNumber: UInt16 = 49_152

    /// Makes a reactor with a time of its own, which begins at zero.
    ///
    /// - Parameter seed: where its ``randomNumbers`` begin.
    public convenience init(seed: UInt64 = 1, logger: Logger = Logger(label: "twill")) {
        self.init(world: SimulatedWorld(seed: seed), name: "localhost", after: nil, logger: logger)
    }

    /// - Parameter previous: the process that the host had before.
    init(world: SimulatedWorld, name: String, after previous: SimulatedReactor?, logger: Logger) {
        start = (previous?.start ?? 0) + 1
        self.world = world
        self.name = name
        nameKey = name.stableHash
        self.logger = logger
        randomNumbers = SimulatedRandom(seed: world.wiring.seed, name: start == 1 ? name : "\(name), start \(start)")
        wallClockSkew = previous?.wallClockSkew ?? .zero
        draws =
            previous?.draws
            ?? FaultDraws(
                random: SimulatedRandom(seed: world.wiring.seed, name: "faults of \(name)"), faults: world.wiring.faultSwitch)
        handle = ReactorHandle { [bell = world.bell] in bell.ring() }
        clock = world.time.clock(of: handle)
        timers = TimerQueue(clock: clock)
        number = world.add(self)
        address = world.wiring.add(self)
    }

    deinit {
        world.remove(number)
        world.wiring.remove(self)
        handle.close()
        timers.removeAll()
    }

    // Time.

    /// Runs until it is stopped; what there are of signal handlers is left alone.
    ///
    /// - Throws: ``SimulationError``.
    public func run(installSignalHandlers: Bool) throws {
        begin()
        _ = try world.run { !self.isRunning }
    }

    /// Lets so much time go by, and does what is due meanwhile, the end of the time included; every reactor of the same simulation runs.
    ///
    /// - Throws: ``SimulationError/nested`` inside of a callback.
    public func run(for duration: Duration) throws {
        try run(until: now.advanced(by: max(duration, .zero)))
    }

    /// Lets time go by to a moment, as ``run(for:)`` does.
    public func run(until moment: ReactorClock.Instant) throws {
        begin()
        _ = try world.run(to: moment) { false }
    }

    /// Lets time go by until something holds, which is asked between all turns.
    ///
    /// ```swift
    /// #expect(try reactor.run(within: .seconds(10)) { client.wasLost })
    /// ```
    ///
    /// - Parameter limit: how much time may go by at the most.
    /// - Returns: whether it holds.
    /// - Throws: ``SimulationError/nested`` inside of a callback; what the condition throws.
    public func run(within limit: Duration, until condition: () throws -> Bool) throws -> Bool {
        begin()
        return try world.run(to: now.advanced(by: limit), until: condition)
    }

    public func stop() {
        guard !isStopRequested else { return }
        isStopRequested = true
        if isRunning { later { self.shutDown() } }
    }

    public func crash() {
        isRunning = false
        isStopRequested = false
    }

    @discardableResult
    public func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        timers.add(after: delay, call)
    }

    /// The first second of 2026 when the simulation begins; see ``stepWallClock(by:)``.
    public var wallTime: Duration { .seconds(1_767_225_600) + .nanoseconds(now.nanoseconds) + wallClockSkew }

    /// Sets this host's wall clock ahead, or back. No timer moves.
    public func stepWallClock(by step: Duration) {
        wallClockSkew += step
        note(.clockStep, Int(step.nanoseconds))
    }

    /// Notes what happened on this host.
    func note(_ step: SimulationTrace.Step, _ count: Int = 0) {
        world.note(step, name, nameKey, count)
    }

    public var delayedCalls: [DelayedCall] { timers.calls }

    public func deferToThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Deferred<Value> {
        let deferred = Deferred<Value>(canceller: { _ in })
        later { [unowned self] in
            guard !deferred.hasFired else { return }
            guarded("a call after work") { try deferred.fire(Result { try work() }) }
        }
        return deferred
    }

    // System events.

    public func callWhenRunning(_ call: @escaping () throws -> Void) {
        if isRunning {
            guarded("a call when running", call)
        } else {
            addSystemEventTrigger(.after, .startup, call: call)
        }
    }

    @discardableResult
    public func addSystemEventTrigger(
        _ phase: SystemEventPhase, _ event: SystemEvent, call: @escaping () throws -> Void
    ) -> SystemEventTrigger {
        events.add(phase, event) {
            try call()
            return nil
        }
    }

    @discardableResult
    public func addSystemEventTrigger(
        waitingBefore event: SystemEvent, call: @escaping () throws -> Deferred<Void>?
    ) -> SystemEventTrigger {
        events.add(.before, event, call: call)
    }

    @discardableResult
    public func removeSystemEventTrigger(_ trigger: SystemEventTrigger) -> Bool {
        events.remove(trigger)
    }

    public func fireSystemEvent(_ event: SystemEvent) {
        events.fire(event) {}
    }

    /// Runs a call of the user's and logs what it throws.
    func guarded(_ name: String, _ call: () throws -> Void) {
        do {
            try call()
        } catch {
            logger.error("\(name) threw: \(error)")
        }
    }
}
