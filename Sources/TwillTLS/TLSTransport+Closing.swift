import Twill

/// Does what the state machine answers: ends of halves and of the whole, said by TLS before the transport below is let go.
extension TLSTransport {
    /// Takes in what happened, and does what is to be done about it.
    func apply(_ event: StreamState.Event) {
        // Copies that are put back, here and where input is held, make each access a single one: reading costs no exclusivity check then.
        var next = stream
        let actions = next.take(event)
        stream = next
        if stream.visible != state, state != .disconnected { setState(stream.visible) }
        mayWrite = stream.takesOutput && flow?.pulls != true
        if !actions.isEmpty { perform(actions) }
    }

    /// Does what the state machine asks for, in its order. The transport below does what has to do with sockets and with time.
    private func perform(_ actions: StreamState.Actions) {
        if actions.contains(.startReading), holdsInput { takeHeldLater() }
        if actions.contains(.stopReading), !wantsInput, isSecure { dropInput() }
        if actions.contains(.dropOutput) { dropOutput() }
        if actions.contains(.reset) { inner.abortConnection(because: stream.reason) }
        if actions.contains(.stopPushProducer), flow?.pulls == false { stopProducer() }
        if actions.contains(.shutdownWriting) { sayEnd() }
        if actions.contains(.tellReadLost) { tellHalf("readConnectionLost") { try $0.readConnectionLost() } }
        if actions.contains(.tellWriteLost) { tellHalf("writeConnectionLost") { try $0.writeConnectionLost() } }
        if actions.contains(.settleLater) { settleLater() }
        if actions.contains(.settleNow) { settle() }
    }

    private func settleLater() {
        // The transport below puts off what it has to; only half a connection's end is told by this one.
        guard stream.phase == .finishing else { return settle() }
        guard !willSettle else { return }
        willSettle = true
        inner.callLater(.zero) { [weak self] in
            self?.willSettle = false
            self?.settle()
        }
    }

    /// Goes on with an end that waits for output, as far as it can.
    func settle() {
        guard !isWriting || stream.phase == .ending else { return waitToClose() }
        switch stream.phase {
        case .finishing:
            guard isSecure, !waitsForProducer, mayEnd(), pending.isEmpty else { return }
            guard inner.bufferedByteCount == 0 else { return drain() }
            letPressureGo()
            apply(.settle(hasOutput: false))
        case .closing: close()
        case .ending: inner.loseConnection(because: stream.reason)
        case .open, .readClosed, .writeClosed, .broken, .lost: break
        }
    }

    /// Whether what is gathered has been encrypted, and the end can be: both wait for the rest of what the peer has begun to say.
    private func mayEnd() -> Bool {
        workspace.flush(self)
        if isSecure, !peerHasEnded, engine.hasHalfAMessage { (isBlocked, isWriting) = (true, true) }
        return !isBlocked
    }

    /// Closes the transport below as soon as there is nothing more to say.
    private func close() {
        guard mayEnd() else { return waitToClose() }
        if waitsForProducer {
            // The transport below waits for it as for one of its own, and gives a peer up that takes nothing.
            watchPressure()
        } else if !isSecure, !pending.isEmpty, !hasFailed {
            // The handshake has a deadline.
            return
        } else {
            sayEnd()
            letPressureGo()
        }
        inner.loseConnection(because: stream.reason)
    }

    /// Closing waits for the rest of what the peer has begun to say, and not for ever.
    private func waitToClose() {
        guard isBlocked, stream.phase == .closing, deadline == nil else { return }
        let limit = Duration.seconds(10)
        deadline = inner.callLater(limit) { [weak self] in
            self?.fail(TLSError(.timedOut, "the rest of a message of TLS's own did not come within \(limit)"))
        }
    }

    /// Says by TLS that nothing more will be written.
    private func sayEnd() {
        workspace.flush(self)
        guard isSecure, !hasEnded, !hasFailed else { return }
        hasEnded = true
        engine.end()
        sendOutput()
    }

    private func dropOutput() {
        workspace.forget(self)
        pending = []
    }

    private func dropInput() {
        held = []
        hasLookedAhead = false
    }

    func tell(_ callback: String, _ call: (Protocol) throws -> Void) {
        guard let handler else { return }
        do {
            try call(handler)
        } catch {
            callbackThrew(error, in: callback)
        }
    }

    private func tellHalf(_ callback: String, _ tell: (any HalfCloseableProtocol) throws -> Void) {
        guard let halfCloseable = handler?.halfCloseable else { return }
        do {
            try tell(halfCloseable)
        } catch {
            callbackThrew(error, in: callback)
        }
    }

    /// The transport below has ended.
    func lost(_ reason: ConnectionLost) throws {
        if !isSecure, !hasFailed {
            hasFailed = true
            role.handshakeEnded(reason.underlying as? TLSError ?? Self.interruption(by: reason))
        }
        var last = stream
        _ = last.take(.end(reason))
        stream = last
        if state != .disconnected { setState(.disconnected) }
        mayWrite = false
        dropOutput()
        dropInput()
        deadline?.cancelIfActive()
        deadline = nil
        cancelOwnCalls()
        stopProducer()
        pressure = nil
        let ended = handler
        shell = nil
        guard isMade else { return }
        try ended?.connectionLost(stream.reason.with(peer))
    }

    private static func interruption(by reason: ConnectionLost) -> TLSError {
        if reason == .done || reason == .aborted || reason == .reactorStopped {
            return TLSError(.cancelled, "this side closed the connection in the middle of the handshake")
        }
        return TLSError(.closed, "the connection broke in the middle of the handshake: \(reason)")
    }
}
