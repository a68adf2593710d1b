public import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The reactor of real sockets, on libevent: epoll on Linux, kqueue on macOS.
///
/// ```swift
/// let reactor = try LibeventReactor()
/// try reactor.listenTCP(port: 8007, factory: Factory { Echo() })
/// try reactor.run()
/// ```
///
/// # Contract
/// What ``Reactor`` says. In addition: the thread that calls `run` is the reactor's thread until `run` returns; before that, and between two
/// runs, it is whatever thread holds the reactor. SIGPIPE is ignored in the whole process from the first reactor on, because a peer that
/// went away must not end a server.
///
/// A reactor holds one 256 KiB buffer for reading and one 64 KiB buffer for writing, whatever the number of its connections; with the first UDP
/// port, room for 64 datagrams that arrive, of 64 KiB each, and 64 KiB for those that leave. Room that nothing has been in takes no memory.
@safe
public final class LibeventReactor: Reactor {
    static let readBufferBytes = 256 << 10

    public let handle: ReactorHandle
    public let clock: ReactorClock
    public let threadPool: ThreadPool
    public var logger: Logger
    public var resolver: any Resolver = SystemResolver()
    public var randomNumbers: any RandomNumberGenerator = SystemRandomNumberGenerator()
    public internal(set) var isRunning = false

    /// How many connections this reactor may have at once; at that number its ports leave others waiting until one has ended.
    ///
    /// Nine tenths of the descriptors that the process may have, unless set: the rest is for files, logs and outgoing connections, which are
    /// not held back.
    /// A higher limit lets those in who wait.
    public var connectionsMax = DescriptorLimit.current / 10 * 9 {
        didSet { noteRoom() }
    }

    let base: EventBase
    let stage: WriteStage
    let udpStage: UDPStage
    let readBuffer: UnsafeMutableRawBufferPointer
    /// Whether another thread or a signal wants something.
    var bellRang = false
    /// Whether a delayed call may be due.
    var alarmRang = false

    // Of the loop, in LibeventReactor+Loop.swift.
    let timers: TimerQueue
    let wakeUp: WakeUp
    /// The handle's, kept here so that asking for jobs needs no second look-up.
    let jobs: JobQueue
    lazy var events = SystemEvents(
        logger: { [unowned self] in logger },
        later: { [unowned self] in later($0) })
    var alarm: Alarm?
    /// What the alarm is set to.
    var alarmTime = ReactorClock.Instant.never
    var bell: Bell?
    var signalBell: Bell?
    /// Calls that the next turn makes before it waits.
    var soon: [() -> Void] = []
    /// Whether something waits that must not wait for events.
    var hasWork = false
    var isStopRequested = false
    var isShuttingDown = false
    /// Whether the shutdown has come so far that nobody would end what begins now.
    var hasClosedEverything = false
    var leavesLoop = false

    // Of the connections, in LibeventReactor+Network.swift.
    var listeners: [SocketListener] = []
    /// Who may have a listening socket already.
    package var listeningSockets: (any ListeningSocketSource)?
    var dialers: [SocketDialer] = []
    /// Listeners that wait for descriptors to be freed.
    var resting: [SocketListener] = []
    /// Open sockets by their descriptor: what keeps a transport alive while libevent may call it back.
    var transports: [SocketTransport?] = []
    /// How many there are.
    var openCount = 0
    /// Transports that have put something off to the next turn.
    var visits: [SocketTransport] = []
    /// Whether the connections that are not watched are looked at now and then.
    var isSweeping = false
    /// What outgoing connections have counted.
    let outgoing = ConnectionCounters()
    /// What every port counts that is open or still has connections.
    var portSettings: [SocketTransport.Settings] = []
    /// What the ports before them have counted.
    var retired = ConnectionStatistics()

    // Of the UDP ports, in LibeventReactor+UDP.swift.
    var udpPorts: [UDPPort] = []
    /// Those in which so much arrives that the loop does not wait for it.
    var floodedPorts: [UDPPort] = []
    /// Where datagrams arrive; made for the first port.
    var udpIntake: UDPIntake?

    // Of the processes, in LibeventReactor+Processes.swift.
    /// Children whose end was not told yet, by their numbers.
    var processes: [CInt: SpawnedProcess] = [:]
    /// What the pipes of children count: they are no connections.
    let pipeCounters = ConnectionCounters()
    /// Whether the system is asked to tell of a child's end by a descriptor, where it has such a thing; tests switch it off.
    package var watchesProcessDescriptors = true

    // Of the statistics, in LibeventReactor+Statistics.swift.
    var loopLag = Duration.zero
    var longestLoopLag = Duration.zero
    /// When the callback that is running began, or a little before; 0 where none has begun on this turn.
    var callbackBegan: Int64 = 0
    var longestCallback: Int64 = 0
    /// Transports that ended since the loop last slept; a callback may still be running in one of them.
    var released: [SocketTransport] = []
    var hasReleased = false

    /// Makes a reactor; it runs when ``run(installSignalHandlers:)`` is called.
    ///
    /// - Throws: ``ReactorError/noEventBase(_:)`` where the system has no memory or descriptors left.
    public convenience init(logger: Logger = Logger(label: "twill"), threadPool: ThreadPool = ThreadPool()) throws {
        try self.init(logger: logger, threadPool: threadPool, backend: .best)
    }

    /// Makes a reactor whose loop waits in a way of one's own choice.
    package init(logger: Logger, threadPool: ThreadPool = ThreadPool(), backend: Backend) throws {
        _ = signal(SIGPIPE, SIG_IGN)
        self.logger = logger
        self.threadPool = threadPool
        base = try EventBase(backend)
        do throws(SystemError) {
            let wakeUp = try WakeUp()
            self.wakeUp = wakeUp
            let handle = ReactorHandle { wakeUp.ring() }
            self.handle = handle
            jobs = handle.jobs
            clock = ReactorClock(of: handle) { MonotonicTime.now }
            timers = TimerQueue(clock: clock)
        } catch {
            throw ReactorError.noEventBase(error)
        }
        // Only now, when nothing can fail any more before `deinit` is there to free them.
        stage = WriteStage()
        udpStage = UDPStage()
        unsafe readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.readBufferBytes, alignment: 4096)
        do throws(SystemError) {
            bell = try Bell(loop: self, descriptor: wakeUp.readEnd)
            alarm = try Alarm(loop: self)
        } catch {
            throw ReactorError.noEventBase(error)
        }
    }

    deinit {
        handle.close()
        // Events go before the base that they are in.
        signalBell = nil
        bell = nil
        alarm = nil
        timers.removeAll()
        outgoing.free()
        pipeCounters.free()
        unsafe readBuffer.deallocate()
        stage.free()
        udpStage.free()
        udpIntake?.free()
    }

    public func stop() {
        guard !isStopRequested else { return }
        isStopRequested = true
        if isRunning { later { self.shutDown() } }
    }

    public func crash() {
        leavesLoop = true
        hasWork = true
    }

    @discardableResult
    public func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        timers.add(after: delay, call)
    }

    public var delayedCalls: [DelayedCall] { timers.calls }

    /// Makes a call on the next turn, before it waits.
    func later(_ call: @escaping () -> Void) {
        soon.append(call)
        hasWork = true
    }

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

    public var wallTime: Duration { WallTime.now }

    public func fireSystemEvent(_ event: SystemEvent) {
        events.fire(event) {}
    }

    /// Ends every callback: what it made ready is run, what it wrote is sent, and how long it took is noted.
    @inline(__always)
    func endCallback() {
        if jobs.hasMore { runJobs() }
        stage.flush()
        noteCallback(of: nil)
    }

    /// The same for a callback of a connection's.
    @inline(__always)
    func endCallback(of transport: SocketTransport) {
        if jobs.hasMore { runJobs() }
        stage.flush()
        noteCallback(of: transport)
    }

    /// Runs the pieces of tasks that the callback has made ready, and sends the datagrams that it and they wrote.
    @inline(never)
    func runJobs() {
        // Those that are left have their turn after what else is ready.
        if !handle.runJobs() { hasWork = true }
        udpStage.flush()
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
