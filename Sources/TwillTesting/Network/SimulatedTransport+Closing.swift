import Logging
import Twill

/// Does what the state machine answers. What begins an end only notes it; the protocol is told on a later turn, or where the network itself told
/// of the end, when nothing of the protocol's is running.
extension SimulatedTransport {
    /// Takes in what happened, and does what is to be done about it.
    func apply(_ event: StreamState.Event) {
        let actions = stream.take(event)
        if stream.visible != state { setState(stream.visible) }
        takesOutput = stream.takesOutput && flow?.pulls != true
        if !actions.isEmpty { perform(actions) }
    }

    /// Does what the state machine asks for, in its order.
    private func perform(_ actions: StreamState.Actions) {
        if actions.contains(.startReading) { loop.visitLater(self) }
        if actions.contains(.dropOutput) { output.removeAll() }
        if actions.contains(.reset) { resets = true }
        if actions.contains(.stopPushProducer), flow?.pulls == false { stopProducer() }
        if actions.contains(.shutdownWriting) {
            cancelDeadline()
            socket.finish()
        }
        if actions.contains(.tellReadLost) { tellHalf(.readConnectionLost) { try $0.readConnectionLost() } }
        if actions.contains(.tellWriteLost) { tellHalf(.writeConnectionLost) { try $0.writeConnectionLost() } }
        if actions.contains(.readRest), stream.takesInput { read() }
        if actions.contains(.watchForStall), deadline == nil { watchForStall() }
        if actions.contains(.settleLater) { loop.visitLater(self) }
        if actions.contains(.settleNow) { settle() }
        if actions.contains(.tellLost) { tellLost() }
        if actions.contains(.linger) { linger() }
        if actions.contains(.release) { release() }
    }

    /// Called by the loop on the turn after something was put off.
    func visit() {
        willBeVisited = false
        pull()
        settle()
        read()
    }

    /// Does what was put off, where nothing waits for the peer any more.
    func settle() {
        guard stream.phase != .lost else { return }
        flush()
        apply(.settle(hasOutput: !output.isEmpty || waitsForProducer))
    }

    /// Reads on for nobody, until the peer closes too.
    func drain() {
        socket.discardInput()
        if case .none = socket.end { return }
        release()
    }

    private func tellHalf(_ callback: ContractWatch.Callback, _ tell: (any HalfCloseableProtocol) throws -> Void) {
        guard let halfCloseable = handler?.halfCloseable else { return }
        watch.begin(callback, on: socket)
        defer { watch.end() }
        do {
            try tell(halfCloseable)
        } catch {
            callbackThrew(error, in: "\(callback)")
        }
    }

    func log(_ error: any Error, in callback: String, of handler: Protocol?) {
        loop.logger.log(error, thrownIn: callback, of: handler, peer)
    }

    /// Gives the peer up when it took nothing for the stall timeout.
    private func watchForStall() {
        deadline = loop.callLater(options.stallTimeout) { [weak self] in
            self?.deadline = nil
            self?.apply(.abort(.timedOut))
        }
    }

    /// Some bytes have left: a peer that takes any is not given up.
    func noteProgress() {
        if let deadline, deadline.isActive { try? deadline.reset(options.stallTimeout) }
    }

    private func cancelDeadline() {
        deadline?.cancelIfActive()
        deadline = nil
    }

    /// Tells the producer and the protocol, once, and then the factory.
    private func tellLost() {
        let reason = stream.reason.with(peer)
        output.removeAll()
        cancelDeadline()
        cancelOwnCalls()
        stopProducer()
        let ended = handler
        handler = nil
        counters.count { $0.countClosed(reason) }
        if let ended {
            socket.note(.lost)
            watch.begin(.connectionLost, on: socket)
            defer { watch.end() }
            do {
                try ended.connectionLost(reason)
            } catch {
                log(error, in: "connectionLost", of: ended)
            }
        }
        connector?.connectionLost(reason)
    }

    /// Closes the socket so that the peer gets all that was sent: where closing could turn into a reset, says that no more will come and
    /// discards input until the peer closes too, for a limited time.
    private func linger() {
        let couldReset = expectsLastWord || socket.hasInput || socket.unreadByPeer > 0
        socket.finish()
        socket.discardInput()
        guard couldReset, case .none = socket.end else { return release() }
        deadline = loop.callLater(options.lingerTimeout) { [weak self] in self?.release() }
    }

    /// Its process is gone: the protocol is let go, and told nothing. The socket is left to the system.
    func die() {
        _ = flow?.unregister()
        handler = nil
        output.removeAll()
        cancelDeadline()
        cancelOwnCalls()
        slot = -1
        _ = stream.take(.end(.lost))
        setState(stream.visible)
        takesOutput = false
    }

    /// Closes the socket, once.
    func release() {
        guard loop.release(self) else { return }
        cancelDeadline()
        if resets { socket.abort() } else { socket.close() }
    }
}
