import Logging
import Twill

/// One connection of a client's that is relayed, and what chance does to it.
///
/// Its two sides hold it, and it holds them until they are lost.
final class FaultyConnection {
    private enum Phase {
        /// The client is there; the target is not.
        case connecting
        case relaying
        /// The faults have ended it, and the sides go by themselves.
        case ending
        /// Nothing is relayed any more, and nobody is told.
        case vanished
    }

    /// How many bytes each side of a vanished connection may send until it sees that nobody takes them: about what a system's buffers hold.
    static let vanishedBytesMax = 256 << 10
    /// How long a reset waits for what goes before it.
    private static let resetDelayMax = Duration.seconds(2)

    let number: Int
    private let relay: FaultyRelay
    /// It outlives its connections.
    private unowned let reactor: any Reactor
    private let toServer: FaultyStream
    private let toClient: FaultyStream
    private var client: FaultySide?
    private var server: FaultySide?
    private var phase = Phase.connecting
    /// Whether the target is to be reset as soon as it is there.
    private var isResetEarly = false
    private var connector: Connector?
    /// When a slow connect goes on, what is to be reset is reset, or what has vanished is given up.
    private var alarm: DelayedCall?

    init(number: Int, relay: FaultyRelay, reactor: any Reactor) {
        self.number = number
        self.relay = relay
        self.reactor = reactor
        toServer = FaultyStream(.toServer, ofConnection: number, relay)
        toClient = FaultyStream(.toClient, ofConnection: number, relay)
        toServer.connection = self
        toClient.connection = self
    }

    /// The protocol of the client's side.
    func accepting() -> FaultySide {
        let side = FaultySide(self)
        client = side
        return side
    }

    private func other(than side: FaultySide) -> FaultySide? { side === client ? server : client }

    /// The stream of what a side sends.
    private func stream(from side: FaultySide) -> FaultyStream { side === client ? toServer : toClient }

    /// The stream of what is sent to a side.
    private func stream(to side: FaultySide) -> FaultyStream { side === client ? toClient : toServer }

    // The accepted connection, and the one to the target.

    func isConnected(_ side: FaultySide) throws {
        guard side === client else { return try join(side) }
        side.transport.pauseProducing()
        let (outcome, delay) = toServer.drawAttempt()
        switch outcome {
        case .refused:
            note(.refusals)
            phase = .ending
            side.transport.abortConnection()
        case .hangs:
            note(.hangs)
            vanish()
        case .reset, .connected:
            isResetEarly = outcome == .reset
            guard delay > .zero else { return try connect() }
            note(.slowConnects, for: delay)
            alarm = reactor.callLater(delay) { [weak self] in try self?.connect() }
        }
    }

    private func connect() throws {
        connector = try relay.target.connect(FaultyOnwardFactory(self), on: reactor)
    }

    /// The protocol of the target's side, unless the client has gone meanwhile.
    func onward() -> FaultySide? {
        guard client != nil else { return nil }
        let side = FaultySide(self)
        server = side
        return side
    }

    private func join(_ server: FaultySide) throws {
        guard let client, phase == .connecting else { return server.transport.abortConnection() }
        if isResetEarly {
            note(.earlyResets, by: .reset)
            return resetNow()
        }
        phase = .relaying
        try toServer.join(from: client.transport, to: server.transport)
        try toClient.join(from: server.transport, to: client.transport)
        if client.inputHasEnded { toServer.inputEnded() } else { client.transport.resumeProducing() }
    }

    func connectingFailed(_ reason: ConnectError) {
        // An attempt is cancelled where the client has gone, or the reactor stops.
        guard reason != .cancelled, let client else { return }
        relay.statistics.unreachable += 1
        reactor.logger.warning("Couldn't forward \(client.transport.peer): \(reason)")
        phase = .ending
        client.transport.loseConnection()
    }

    // What the sides hear.

    func received(_ data: Span<UInt8>, from side: FaultySide) {
        switch phase {
        case .relaying: stream(from: side).received(data)
        case .vanished:
            side.vanishedByteCount += data.count
            if side.vanishedByteCount >= Self.vanishedBytesMax { side.transport.pauseProducing() }
            giveUpLater()
        case .connecting, .ending: break
        }
    }

    func inputEnded(from side: FaultySide) {
        switch phase {
        case .relaying: stream(from: side).inputEnded()
        case .vanished: giveUpLater()
        case .connecting, .ending: break
        }
    }

    func lost(_ side: FaultySide, _ reason: ConnectionLost) {
        let (other, onward) = (other(than: side), stream(from: side))
        stream(to: side).stop()
        if side === client { client = nil } else { server = nil }
        switch phase {
        case .connecting, .ending: break
        case .relaying:
            guard let other else { break }
            if reason.isClean {
                onward.sourceIsGone()
            } else {
                onward.stop()
                if reason == .reactorStopped { other.transport.loseConnection() } else { other.transport.abortConnection() }
            }
        case .vanished: giveUpLater()
        }
        if server == nil { connector?.disconnect() }
        guard client == nil, server == nil else { return }
        alarm?.cancelIfActive()
        stopStreams()
        connector = nil
        relay.isOver(self)
    }

    // What the faults do.

    private func note(
        _ fault: Fault, _ direction: FaultyProxy.Direction? = nil, after offset: Int = 0, for duration: Duration? = nil,
        by ending: FaultPlan.Ending? = nil
    ) {
        relay.note(
            FaultyProxy.Event(
                connection: number, fault: fault, direction: direction, offset: offset, duration: duration, ending: ending))
    }

    /// Tells of a fault that a stream has met, and ends the connection where it is of that kind.
    func meets(_ fault: Fault, _ stream: FaultyStream, for duration: Duration? = nil, by ending: FaultPlan.Ending? = nil) {
        note(fault, stream.direction, after: stream.passedCount, for: duration, by: ending)
        guard let ending else { return }
        stopStreams()
        switch ending {
        case .end:
            phase = .ending
            for side in sides { side.transport.loseConnection() }
        case .reset:
            phase = .ending
            for side in sides { side.transport.pauseProducing() }
            resetWhenSent(reactor.now.advanced(by: Self.resetDelayMax))
        case .vanish: vanish()
        }
    }

    private var sides: [FaultySide] { [client, server].compactMap { $0 } }

    private func stopStreams() {
        toServer.stop()
        toClient.stop()
    }

    /// Resets both sides, once they have been sent what was written before; a reset of this side's would overtake it.
    private func resetWhenSent(_ deadline: ReactorClock.Instant) {
        alarm = reactor.callLater(relay.pauseBetweenPieces) { [weak self] in
            guard let self else { return }
            if reactor.now < deadline, sides.contains(where: { $0.transport.bufferedByteCount > 0 }) {
                resetWhenSent(deadline)
            } else {
                resetNow()
            }
        }
    }

    func resetNow() {
        phase = .ending
        alarm?.cancelIfActive()
        stopStreams()
        for side in sides { side.transport.abortConnection() }
    }

    /// Falls silent. What comes is taken for a while, so that an end behind it is noticed.
    private func vanish() {
        phase = .vanished
        for side in sides { side.transport.resumeProducing() }
        if sides.contains(where: \.inputHasEnded) { giveUpLater() }
    }

    /// Someone has sent in vain, or has said its last word, or is gone.
    private func giveUpLater() {
        guard alarm?.isActive != true else { return }
        alarm = reactor.callLater(relay.vanishedMax) { [weak self] in self?.resetNow() }
    }
}
