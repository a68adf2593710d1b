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
/// A reactor holds one 256 KiB buffer for reading and one 64 KiB buffer for writing, whatever the number of its connections.
@safe
public final class LibeventReactor: Reactor {
    static let readBufferBytes = 256 << 10

    public let handle: ReactorHandle
    public let clock: ReactorClock
    public let threadPool: ThreadPool
    public var logger: Logger
    public private(set) var isRunning = false

    let base: EventBase
    let stage = WriteStage()
    let readBuffer: UnsafeMutableRawBufferPointer
    /// Whether another thread or a signal wants something.
    var bellRang = false
    /// Whether a delayed call may be due.
    var alarmRang = false
    /// Listeners that wait for descriptors to be freed.
    var resting: [SocketListener] = []

    private let timers: TimerQueue
    private let wakeUp: WakeUp
    private var alarm: Alarm?
    private var bell: Bell?
    /// Whether something waits that must not wait for events.
    private var hasWork = false
    private var hasReleased = false
    /// What the alarm is set to.
    private var alarmTime = ReactorClock.Instant.never
    private var isStopRequested = false
    private var isShuttingDown = false
    private var leavesLoop = false
    private var events: SystemEvents!
    private var signalBell: Bell?
    /// Open sockets by their descriptor: what keeps a transport alive while libevent may call it back.
    private var transports: [SocketTransport?] = []
    /// Transports that ended since the loop last slept; a callback may still be running in one of them.
    private var released: [SocketTransport] = []
    private var ending: [SocketTransport] = []
    private var soon: [() -> Void] = []
    private var listeners: [SocketListener] = []
    private var dialers: [SocketDialer] = []

    /// Makes a reactor; it runs when ``run(installSignalHandlers:)`` is called.
    ///
    /// - Throws: ``ReactorError/noEventBase(_:)`` where the system has no memory or descriptors left.
    public init(logger: Logger = Logger(label: "twill"), threadPool: ThreadPool = ThreadPool()) throws {
        _ = signal(SIGPIPE, SIG_IGN)
        self.logger = logger
        self.threadPool = threadPool
        clock = ReactorClock { MonotonicTime.now }
        timers = TimerQueue(clock: clock)
        base = try EventBase()
        do throws(SystemError) {
            let wakeUp = try WakeUp()
            self.wakeUp = wakeUp
            handle = ReactorHandle { wakeUp.ring() }
        } catch {
            throw ReactorError.noEventBase(error)
        }
        unsafe readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.readBufferBytes, alignment: 4096)
        events = SystemEvents(
            logger: { [unowned self] in self.logger },
            later: { [unowned self] in self.later($0) })
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
        unsafe readBuffer.deallocate()
        stage.free()
    }

    // The loop.

    public func run(installSignalHandlers: Bool) throws {
        guard !isRunning else { throw ReactorError.alreadyRunning }
        try begin(installSignalHandlers: installSignalHandlers)
        defer { end() }
        while !leavesLoop {
            try turn()
        }
    }

    /// One turn; ``Reactor`` documents its order.
    private func turn() throws {
        if hasWork { finishWhatWasPutOff() }
        if hasReleased { letReleasedGo() }
        if timers.nextTime != alarmTime { try setAlarm() }
        try base.turn(waiting: !hasWork)
        if alarmRang { fireTimers() }
        if bellRang { hearBell() }
    }

    private func setAlarm() throws {
        alarmTime = timers.nextTime
        if alarmTime == .never {
            alarm?.switchOff()
        } else {
            try alarm?.set(after: clock.now.duration(to: alarmTime))
        }
    }

    private func begin(installSignalHandlers: Bool) throws {
        if installSignalHandlers {
            do {
                signalBell = try Bell(loop: self, descriptor: StopSignals.descriptor())
            } catch {
                throw ReactorError.loopFailed(error)
            }
            StopSignals.subscribe(handle)
        }
        isRunning = true
        leavesLoop = false
        events.fire(.startup) {}
        if isStopRequested { later { self.shutDown() } }
    }

    private func end() {
        isRunning = false
        isStopRequested = false
        isShuttingDown = false
        if signalBell != nil {
            StopSignals.unsubscribe(handle)
            signalBell = nil
        }
        // libevent frees what was let go on its next turn only.
        try? base.turn(waiting: false)
        released.removeAll()
    }

    /// Ends what the last turn asked to end, and makes the calls that it put off; outside of every callback.
    private func finishWhatWasPutOff() {
        hasWork = false
        if !ending.isEmpty {
            let transports = ending
            ending.removeAll(keepingCapacity: true)
            for transport in transports {
                transport.continueClosing()
            }
        }
        if !soon.isEmpty {
            let calls = soon
            soon.removeAll(keepingCapacity: true)
            for call in calls {
                call()
                endCallback()
            }
        }
    }

    private func fireTimers() {
        alarmRang = false
        // It may have gone off a little early; then it is set to the same time again.
        alarmTime = .never
        for call in timers.takeDue() {
            guarded("a delayed call") { try call.fire() }
            endCallback()
        }
    }

    /// Makes the calls that other threads handed in, and obeys the signals.
    private func hearBell() {
        bellRang = false
        _ = wakeUp.silence()
        for call in handle.takeCalls() {
            guarded("a call from a thread") { try call.value(self) }
            endCallback()
        }
        if signalBell != nil { StopSignals.dispatch() }
    }

    private func letReleasedGo() {
        hasReleased = false
        released.removeAll(keepingCapacity: true)
    }

    /// Ends every callback: what it wrote is sent.
    @inline(__always)
    func endCallback() {
        stage.flush()
    }

    /// Runs a call of the user's and logs what it throws.
    func guarded(_ name: String, _ call: () throws -> Void) {
        do {
            try call()
        } catch {
            logger.error("\(name) threw: \(error)")
        }
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

    private func shutDown() {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        events.fire(.shutdown) {
            self.closeEverything()
            self.later { self.crash() }
        }
    }

    /// Closes the ports first, so that nobody new comes while the others are told.
    private func closeEverything() {
        for listener in listeners {
            listener.stopListening()
        }
        for dialer in dialers {
            dialer.cancel()
        }
        for case let transport? in transports {
            transport.finish(.reactorStopped)
            // One that lingers has told its protocol already.
            transport.release()
        }
    }

    // Time and calls.

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
        _ phase: SystemEventPhase, _ event: SystemEvent, call: @escaping () throws -> Deferred<Void>?
    ) -> SystemEventTrigger {
        events.add(phase, event, call: call)
    }

    @discardableResult
    public func removeSystemEventTrigger(_ trigger: SystemEventTrigger) -> Bool {
        events.remove(trigger)
    }

    public func fireSystemEvent(_ event: SystemEvent) {
        events.fire(event) {}
    }

    public func deferToThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Deferred<Value> {
        let deferred = Deferred<Value>()
        let bound = ReactorBound(deferred)
        let handle = handle
        threadPool.run {
            let result = Result { try work() }
            handle.callFromThread { _ in try bound.value.fire(result) }
        }
        return deferred
    }

    // Connections.

    @discardableResult
    public func listenTCP(on binding: TCPBinding, factory: Factory) throws -> any ListeningPort {
        let listener = try SocketListener(loop: self, binding: binding, factory: factory)
        listeners.append(listener)
        return listener
    }

    @discardableResult
    public func connectTCP(to target: TCPTarget, factory: ClientFactory) throws -> Connector {
        let connector = Connector(reactor: self, destination: target.description, factory: factory) { [unowned self] connector in
            // The connector, which is being asked, keeps the reactor.
            let dialer = SocketDialer(loop: self, target: target, connector: connector)
            dialers.append(dialer)
            dialer.start()
            return { [weak dialer] in dialer?.cancel() }
        }
        try connector.connect()
        return connector
    }

    @discardableResult
    public func watch(
        _ descriptor: CInt, for readiness: Readiness, _ call: @escaping (Readiness) throws -> Void
    ) throws -> any DescriptorWatch {
        try SocketWatch(loop: self, descriptor: descriptor, readiness: readiness, call: call)
    }

    func forget(_ listener: SocketListener) {
        listeners.removeAll { $0 === listener }
        resting.removeAll { $0 === listener }
    }

    func forget(_ dialer: SocketDialer) {
        dialers.removeAll { $0 === dialer }
    }

    /// Takes a connected transport into care and gives it to its protocol.
    func serve(_ transport: SocketTransport, _ handler: Protocol) throws(SystemError) {
        try transport.startReading()
        let index = Int(transport.socket.descriptor)
        if index >= transports.count {
            transports.append(contentsOf: repeatElement(nil, count: index + 1 - transports.count))
        }
        transports[index] = transport
        transport.handler = handler
        do {
            try handler.makeConnection(transport)
        } catch {
            transport.handlerFailed(error, in: "connectionMade")
        }
    }

    /// Serves an outgoing connection, or tells the factory why not.
    func connected(_ transport: SocketTransport, _ connector: Connector) {
        do {
            if let handler = try connector.buildProtocol(transport.peer, transport: transport) {
                try serve(transport, handler)
            } else {
                transport.socket.close()
                later { connector.connectionLost(.done) }
            }
        } catch {
            transport.socket.close()
            later { connector.connectionFailed(.failed.to(connector.destination, because: error)) }
        }
    }

    /// Continues a transport's end on the next turn.
    func close(_ transport: SocketTransport) {
        ending.append(transport)
        hasWork = true
    }

    /// Takes a transport out of the table; false where it is out already. It is kept until the turn is over.
    func release(_ transport: SocketTransport) -> Bool {
        let index = Int(transport.socket.descriptor)
        guard index < transports.count, transports[index] === transport else { return false }
        // First into the one, then out of the other: the caller may hold no reference of its own.
        released.append(transport)
        hasReleased = true
        transports[index] = nil
        for listener in resting {
            listener.resume()
        }
        return true
    }
}
