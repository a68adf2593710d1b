import Logging

/// Does what the state machine answers. What begins an end only notes it; the protocol is told on a later turn, or where the socket itself
/// reported the end, when nothing of the protocol's is running.
extension SocketTransport {
    /// Takes in what happened, and does what is to be done about it.
    func apply(_ event: StreamState.Event) {
        // A copy that is put back makes each access a single one: reading costs no exclusivity check then.
        var next = stream
        let actions = next.take(event)
        stream = next
        let state = stream.visible
        if state != self.state { setState(state) }
        takesOutput = stream.takesOutput && flow?.pulls != true
        if !actions.isEmpty { perform(actions) }
    }

    /// Does what the state machine asks for, in its order. Only the calls of the protocol's and of a producer's run code that may come back
    /// here.
    private func perform(_ actions: StreamState.Actions) {
        if actions.contains(.startReading) { startReadingAgain() }
        if actions.contains(.stopReading) { stopReading() }
        if actions.contains(.dropOutput) { dropOutput() }
        // On a socket that broke already this fails, and there is nobody left to reset.
        if actions.contains(.reset), pipes?.isSocket != false { try? socket.setLinger(.zero) }
        if actions.contains(.stopPushProducer), flow?.pulls == false { stopProducer() }
        if actions.contains(.shutdownWriting) {
            cancelDeadline()
            shutdownWriting()
        }
        if actions.contains(.tellReadLost) { tellHalf("readConnectionLost") { try $0.readConnectionLost() } }
        if actions.contains(.tellWriteLost) { tellHalf("writeConnectionLost") { try $0.writeConnectionLost() } }
        if actions.contains(.readRest), stream.takesInput { receive() }
        if actions.contains(.watchForStall), deadline == nil { watchForStall() }
        if actions.contains(.settleLater) { loop.visitLater(self) }
        if actions.contains(.settleNow) { settle() }
        if actions.contains(.tellLost) { tellLost() }
        if actions.contains(.linger) { linger() }
        if actions.contains(.release) { release() }
        if isUnwatched { loop.startSweeping() }
    }

    /// Whether the loop would not tell of the socket's end.
    var isUnwatched: Bool { !isWatched && stream.phase != .lost && pipes?.endIsTold != true }

    /// Called by the loop on the turn after something was put off.
    func visit() {
        willBeVisited = false
        pull()
        settle()
    }

    /// Does what was put off, where nothing waits for the peer any more.
    func settle() {
        guard stream.phase != .lost else { return }
        loop.stage.flush(self)
        apply(.settle(hasOutput: unsent != nil || waitsForProducer))
    }

    /// The peer said that it will send no more.
    func peerClosed() {
        guard stream.phase != .lost else { return release() }
        apply(.peerClosed(halfCloseable: handler?.halfCloseable != nil))
    }

    /// The socket failed while receiving.
    func receivingBroke(_ error: SystemError) {
        guard stream.phase != .lost else { return release() }
        apply(.receivingBroke(.lost(error)))
    }

    /// Input or the end of it came although nobody wants input. A paused transport's loss is noted; input waits in the system.
    func readableUnasked() {
        guard stream.phase != .lost else { return receive() }
        lookForLoss()
        guard !stream.takesInput else { return }
        stopReading()
        if isUnwatched { loop.startSweeping() }
    }

    /// Looks whether the peer is gone, without taking input. Input that came before a peer's orderly end is still wanted.
    func lookForLoss() {
        let expectsInput = stream.phase != .readClosed && stream.phase != .closing
        switch pipes?.peekAtEnd(expectsInput: expectsInput) ?? socket.peekAtEnd(expectsInput: expectsInput) {
        case .open: break
        case .closed: peerClosed()
        case .broken(let error): receivingBroke(error)
        }
    }

    private func startReadingAgain() {
        guard !isWatched else { return }
        do {
            try startReading()
        } catch {
            apply(.sendingBroke(.lost(error)))
        }
    }

    private func dropOutput() {
        loop.stage.forget(self)
        unsent = nil
    }

    private func tellHalf(_ callback: String, _ tell: (any HalfCloseableProtocol) throws -> Void) {
        guard let halfCloseable = handler?.halfCloseable else { return }
        do {
            try tell(halfCloseable)
        } catch {
            callbackThrew(error, in: callback)
        }
    }

    func log(_ error: any Error, in callback: String, of handler: Protocol?) {
        loop.logger.log(error, thrownIn: callback, of: handler, peer)
    }

    /// Gives the peer up when it took nothing for the stall timeout.
    private func watchForStall() {
        deadline = loop.callLater(settings.options.stallTimeout) { [weak self] in
            self?.deadline = nil
            self?.apply(.abort(.timedOut))
        }
    }

    /// Some bytes have left: a peer that takes any is not given up.
    func noteProgress() {
        if let deadline, deadline.isActive { try? deadline.reset(settings.options.stallTimeout) }
    }

    private func cancelDeadline() {
        deadline?.cancelIfActive()
        deadline = nil
    }

    /// Tells the producer and the protocol, once, and then the factory.
    private func tellLost() {
        let reason = stream.reason.with(peer)
        dropOutput()
        cancelDeadline()
        cancelOwnCalls()
        stopProducer()
        let ended = handler
        handler = nil
        counters.count { $0.countClosed(reason) }
        if let ended {
            do {
                try ended.connectionLost(reason)
            } catch {
                log(error, in: "connectionLost", of: ended)
            }
        }
        connector?.connectionLost(reason)
        loop.endCallback()
    }

    /// Closes the socket so that the peer gets all that was sent: where closing could turn into a reset, says that no more will come and
    /// discards input until the peer closes too, for a limited time.
    private func linger() {
        shutdownWriting()
        guard pipes?.lingers ?? (expectsLastWord || socket.wouldResetOnClose) else { return release() }
        do throws(SystemError) {
            try startReading()
        } catch {
            return release()
        }
        deadline = loop.callLater(settings.options.lingerTimeout) { [weak self] in self?.release() }
    }

    private func shutdownWriting() {
        if let pipes { pipes.closeOutput() } else { socket.shutdownWriting() }
    }

    /// Closes the descriptor, once; its events go first.
    func release() {
        guard loop.release(self) else { return }
        cancelDeadline()
        endReading()
        if let pipes { pipes.close() } else { socket.close() }
    }
}
