import Logging
import Twill

/// The connections of a service's port, so that they can be brought to their ends.
///
/// A policy around the service's own factory that does nothing until it is told to drain: then each connection closes as soon as its protocol is not
/// busy, and what is left at the deadline is aborted. They are gone through by and by, so that nobody waits for the end of ten thousand others.
///
/// Invariant: `connections[connection.slot] === connection` for each that is open, and no other is there.
final class ServedFactory: WrappingFactory {
    /// How often connections that are busy are asked again.
    private static let askingInterval = Duration.milliseconds(50)
    /// How many are gone through on one turn, which takes about a millisecond.
    private static let connectionsPerTurn = 256
    /// How often a drain tells of its progress.
    private static let reportInterval = Duration.seconds(1)

    /// A connection that is younger than this, and whose peer has said nothing yet, is not idle: its first message is on its way.
    fileprivate static let silenceOfNewPeers = Duration.seconds(1)

    private var connections: [ServedConnection] = []
    private var drain: Drain?

    /// A drain that is under way.
    private struct Drain {
        let reactor: any Reactor
        let name: String
        var deadline: ReactorClock.Instant
        var nextReport: ReactorClock.Instant
        /// How many connections, from the first on, are still to be gone through this time. What leaves meanwhile is replaced by the last one, which
        /// has been asked already.
        var left = 0
        var isFirstTime = true
        var closedAtOnce = 0
        var aborted = 0
        let began: ReactorClock.Instant
        let count: Int
        let ended = Deferred<Void>(canceller: { _ in })
        var timer: DelayedCall?
    }

    /// How many connections are open.
    var connectionCount: Int { connections.count }

    override func wrap(_ handler: Protocol) -> ProtocolWrapper {
        ServedConnection(wrapping: handler, of: self)
    }

    fileprivate var drainDeadline: ReactorClock.Instant? { drain?.deadline }

    fileprivate func enter(_ connection: ServedConnection) {
        connection.slot = connections.count
        connections.append(connection)
    }

    fileprivate func leave(_ connection: ServedConnection) {
        guard connection.slot >= 0, let last = connections.popLast() else { return }
        if last !== connection {
            last.slot = connection.slot
            connections[last.slot] = last
        }
        connection.slot = -1
        if connections.isEmpty { finishDrain() }
    }

    /// Brings all connections to their ends. A drain that is under way goes on, with this deadline if it is the earlier one.
    ///
    /// - Returns: fires when the last one has ended; nil where there is none.
    func drain(until deadline: ReactorClock.Instant, on reactor: any Reactor, called name: String) -> Deferred<Void>? {
        if let drain {
            if deadline < drain.deadline {
                self.drain?.deadline = deadline
                goThroughAll()
            }
            // Those who wait share one end, and none of them may give it up for the others.
            let ended = Deferred<Void>(canceller: { _ in })
            drain.ended.chainDeferred(ended)
            return self.drain == nil ? nil : ended
        }
        guard !connections.isEmpty else { return nil }
        let now = reactor.now
        let drain = Drain(
            reactor: reactor, name: name, deadline: deadline, nextReport: now.advanced(by: Self.reportInterval), began: now,
            count: connections.count)
        self.drain = drain
        reactor.logger.info("\(name) drains \(connections.count) connections")
        goThroughAll()
        return drain.ended
    }

    /// Begins to ask all connections to end.
    private func goThroughAll() {
        drain?.left = connections.count
        goOn()
    }

    /// Asks so many of them as one turn has time for, or aborts them where there is no time left.
    private func goOn() {
        guard let drain else { return }
        drain.timer?.cancelIfActive()
        let isOver = drain.reactor.now >= drain.deadline
        var left = min(drain.left, connections.count)
        let end = max(0, left - Self.connectionsPerTurn)
        var closed = 0
        while left > end {
            left -= 1
            let connection = connections[left]
            // What is closed or aborted ends on a later turn: none leaves here.
            if isOver { connection.transport.abortConnection() } else { connection.endUnlessBusy(deadline: drain.deadline) }
            if connection.transport.state != .connected { closed += 1 }
        }
        self.drain?.left = left
        if isOver { self.drain?.aborted += closed } else if drain.isFirstTime { self.drain?.closedAtOnce += closed }
        if isOver, left == 0 { return }
        let timer = drain.reactor.callLater(left > 0 ? .zero : timeOfRest()) { [weak self] in
            if left > 0 { self?.goOn() } else { self?.goThroughAll() }
        }
        self.drain?.timer = timer
    }

    /// How long those that are busy are left alone when all have been asked.
    private func timeOfRest() -> Duration {
        guard let drain else { return Self.askingInterval }
        self.drain?.isFirstTime = false
        let now = drain.reactor.now
        if now >= drain.nextReport {
            self.drain?.nextReport = now.advanced(by: Self.reportInterval)
            drain.reactor.logger.info("\(drain.name) drains: \(connections.count) of \(drain.count) connections are left")
        }
        return max(.zero, min(Self.askingInterval, now.duration(to: drain.deadline)))
    }

    private func finishDrain() {
        guard let drain = drain.take() else { return }
        drain.timer?.cancelIfActive()
        let taken = drain.began.duration(to: drain.reactor.now)
        let finished = drain.count - drain.closedAtOnce - drain.aborted
        drain.reactor.logger.log(
            level: drain.aborted > 0 ? .warning : .info,
            "\(drain.name) has drained in \(taken): \(drain.closedAtOnce) connections were idle, \(finished) finished, \(drain.aborted) were aborted"
        )
        try? drain.ended.succeed(())
    }
}

/// One connection of a service's port.
private final class ServedConnection: ProtocolWrapper {
    /// Where it is among the others; -1 where it is not.
    var slot = -1
    /// Its protocol's factory holds it, and goes later.
    private let home: ServedFactory
    private var wasAsked = false
    /// When the connection was made; nil once its peer has said something.
    private var madeInSilence: ReactorClock.Instant?

    init(wrapping wrapped: Protocol, of home: ServedFactory) {
        self.home = home
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        madeInSilence = transport.reactor.now
        home.enter(self)
        try super.connectionMade()
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        madeInSilence = nil
        try super.dataReceived(data)
        if let deadline = home.drainDeadline { endUnlessBusy(deadline: deadline) }
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        defer { home.leave(self) }
        try super.connectionLost(reason)
    }

    /// Tells the protocol once that it shall come to its end, and closes the connection unless it is busy.
    func endUnlessBusy(deadline: ReactorClock.Instant) {
        if !wasAsked {
            wasAsked = true
            do {
                try drainRequested(deadline: deadline)
            } catch {
                transport.callbackThrew(error, in: "drainRequested")
            }
        }
        if transport.state == .connected, !isBusy, !isNew { transport.loseConnection() }
    }

    /// Whether what the peer has connected for may still be on its way.
    private var isNew: Bool {
        guard let madeInSilence else { return false }
        return madeInSilence.duration(to: transport.reactor.now) < ServedFactory.silenceOfNewPeers
    }
}
