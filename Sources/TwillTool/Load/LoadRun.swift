import Logging
import Twill

/// Drives one load from the first connection to the last reply.
///
/// It connects all, then starts the clock: warm-up, measured time, and a bounded wait for the replies in flight. Whatever ends it early (every
/// connection gone, a signal, a server that says nothing) ends it with what was counted so far.
final class LoadRun: ClientFactory {
    private enum Phase {
        case connecting, running, over
    }

    /// How many attempts to connect are under way at once, which a server's queue of new connections should hold.
    private static let connectingMax = 256
    /// How long the replies in flight are waited for at the end.
    private static let lastRepliesTimeout = Duration.seconds(5)
    /// How long a server may say nothing at all where a number of messages was asked for and no duration.
    private static let silenceTimeout = Duration.seconds(30)

    let plan: LoadPlan
    let tally = LoadTally()
    let clock: ReactorClock
    private let reactor: LibeventReactor
    private let message: LoadMessage
    private var phase = Phase.connecting
    private var attempts = 0
    private var connecting = 0
    private var connections: [LoadConnection] = []
    /// How many connections are good.
    private var alive = 0
    /// How many connections wait for a reply.
    private var busy = 0
    /// How many messages may still be sent. The end of the time sets it to zero.
    private var budget = 0
    private var ending: Deferred<Void>?
    private var pacer: LoadPacer?

    init(_ plan: LoadPlan, reactor: LibeventReactor) {
        self.plan = plan
        self.reactor = reactor
        clock = reactor.clock
        message = plan.makeMessage()
        super.init()
    }

    /// How many bytes a message has on the wire.
    var messageBytes: Int { message.count }

    /// Whether any connection was ever ready to be used.
    private(set) var hasStarted = false

    /// Runs until the load is over; SIGINT and SIGTERM end it early.
    func run() throws {
        reactor.callWhenRunning { self.connectMore() }
        reactor.addSystemEventTrigger(waitingBefore: .shutdown) { () -> Deferred<Void>? in
            self.endBeforeShutdown()
        }
        try reactor.run()
        connections = []
    }

    // Connecting.

    private func connectMore() {
        while phase == .connecting, connecting < Self.connectingMax, attempts < plan.connections, !isHopeless {
            attempts += 1
            connecting += 1
            do {
                try plan.endpoint.connect(self, on: reactor)
            } catch {
                connecting -= 1
                tally.countFailedConnection(because: "\(error)")
            }
        }
        if phase == .connecting, connecting == 0 { start() }
    }

    /// Where the first attempts all failed, the others would too.
    private var isHopeless: Bool { tally.connectionsMade == 0 && tally.connectionsFailed > 0 }

    override func buildProtocol(_ address: Address) -> Protocol? {
        LoadConnection(number: tally.connectionsMade + 1, run: self, message: message, depth: plan.depth)
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        guard phase == .connecting else { return }
        tally.countFailedConnection(because: "\(reason)")
        attemptEnded()
    }

    func connectionMade(_ connection: LoadConnection) {
        tally.countConnection()
        connections.append(connection)
        alive += 1
        attemptEnded()
    }

    private func attemptEnded() {
        connecting -= 1
        connectMore()
    }

    // Running.

    private func start() {
        guard alive > 0 else { return end() }
        hasStarted = true
        phase = .running
        switch plan.amount {
        case .duration: budget = .max
        case .messages(let count):
            budget = count
            watchForSilence(since: 0)
        }
        if plan.warmup > .zero {
            reactor.callLater(plan.warmup) { self.beginMeasuring() }
        } else {
            beginMeasuring()
        }
        if let rate = plan.rate {
            pacer = LoadPacer(perSecond: rate, over: connections.filter(\.isGood), on: reactor)
            pacer?.begin()
            return
        }
        for connection in connections where connection.isGood {
            connection.begin()
            if connection.outstanding > 0 { busy += 1 }
        }
        endIfDone()
    }

    private func beginMeasuring() {
        guard phase == .running else { return }
        tally.beginMeasuring(clock.now)
        if case .duration(let duration) = plan.amount {
            reactor.callLater(duration) { self.stopSending() }
        }
    }

    /// Takes so many messages out of what is to be sent, or what is left of it.
    @inline(__always)
    func take(_ count: Int) -> Int {
        let taken = min(count, budget)
        budget -= taken
        return taken
    }

    /// A connection has a message in flight again.
    func connectionBecameBusy() {
        busy += 1
    }

    /// A connection has no message in flight any more, because there was none left to send.
    func connectionBecameIdle() {
        busy -= 1
        endIfDone()
    }

    /// A connection got something that it had not sent. It is closed.
    func repliesWereWrong(on connection: LoadConnection, _ problem: String) {
        guard phase != .over else { return }
        tally.countErrors(1, because: problem)
        leave(connection)
    }

    /// A connection ended by itself; the replies that it waited for will not come.
    func connectionLost(_ connection: LoadConnection, _ problem: String) {
        guard phase != .over else { return }
        tally.countFailedConnection(because: problem)
        tally.countErrors(connection.outstanding, because: problem)
        leave(connection)
    }

    private func leave(_ connection: LoadConnection) {
        alive -= 1
        if connection.outstanding > 0 { busy -= 1 }
        endIfDone()
    }

    // Ending.

    private func endIfDone() {
        guard phase == .running, alive == 0 || (budget == 0 && busy == 0) else { return }
        end()
    }

    /// Ends the measured time; the replies in flight may still come.
    private func stopSending() {
        guard phase == .running else { return }
        budget = 0
        pacer?.end()
        tally.endMeasuring(clock.now)
        endIfDone()
        reactor.callLater(Self.lastRepliesTimeout) { self.giveUp(after: Self.lastRepliesTimeout) }
    }

    /// Ends where no reply came since there were so many.
    private func watchForSilence(since count: Int) {
        reactor.callLater(Self.silenceTimeout) { [self] in
            if tally.messagesTotal == count { return giveUp(after: Self.silenceTimeout) }
            watchForSilence(since: tally.messagesTotal)
        }
    }

    /// Counts what is missing, and ends.
    private func giveUp(after timeout: Duration) {
        guard phase == .running else { return }
        let missing = connections.reduce(0) { $0 + ($1.isGood ? $1.outstanding : 0) }
        let subject = missing == 1 ? "1 reply was" : "\(missing) replies were"
        tally.countErrors(missing, because: "\(subject) still missing after a wait of \(timeout.components.seconds) s")
        end()
    }

    private func end() {
        phase = .over
        pacer?.end()
        tally.endMeasuring(clock.now)
        try? ending?.succeed(())
        reactor.stop()
    }

    /// A signal stopped the reactor: the shutdown waits for the replies in flight.
    private func endBeforeShutdown() -> Deferred<Void>? {
        if phase == .connecting { end() }
        guard phase != .over else { return nil }
        let deferred = Deferred<Void>()
        ending = deferred
        stopSending()
        return phase == .over ? nil : deferred
    }
}
