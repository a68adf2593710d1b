import Logging

/// How a socket's connection ends. What begins an end only notes it; the protocol is told on a later turn, or where the socket itself
/// reported the end, when nothing of the protocol is running.
extension SocketTransport {
    /// An end that has begun.
    final class Closing {
        /// What the protocol will be told.
        var reason: ConnectionLost
        /// Whether what waits is still to be sent.
        let sendsRest: Bool
        /// Whether input that is there already is still to be delivered.
        let readsRest: Bool
        /// How many bytes waited when progress was last looked for.
        var unsentCount = 0
        /// Ends the wait for a peer that takes nothing, or that does not close.
        var timer: DelayedCall?

        init(_ reason: ConnectionLost, sendsRest: Bool = false, readsRest: Bool = false) {
            self.reason = reason
            self.sendsRest = sendsRest
            self.readsRest = readsRest
        }

        func cancelTimer() {
            if let timer, timer.isActive { try? timer.cancel() }
            timer = nil
        }
    }

    /// Begins an end that sends what waits.
    func lose(because reason: ConnectionLost) {
        guard state == .connected else { return }
        setState(.disconnecting)
        // A connection that broke ends for that reason; only the rest of its input is not wanted any more.
        guard closing == nil else { return endReading() }
        begin(Closing(reason, sendsRest: true))
    }

    /// Drops what is unsent, and makes the peer see a reset.
    func abort(because reason: ConnectionLost) {
        guard state != .disconnected else { return }
        setState(.disconnecting)
        guard closing?.sendsRest ?? true else { return endReading() }
        loop.stage.forget(self)
        unsent = nil
        // On a socket that broke already this fails, and there is nobody left to reset.
        try? socket.setLinger(.zero)
        if let earlier = closing?.reason, earlier == .failed {
            // A callback's error says more than that somebody then gave up.
            begin(Closing(earlier))
        } else {
            begin(Closing(reason))
        }
    }

    /// The socket failed while sending. What the peer said before is still delivered; it may be why.
    func breakDown(_ error: SystemError) {
        guard state != .disconnected, closing?.sendsRest ?? true else { return }
        loop.stage.forget(self)
        unsent = nil
        begin(Closing(.lost(error), readsRest: state == .connected && !isPaused))
    }

    /// The peer said that it will send no more: what waits is sent, then the connection ends.
    func peerClosed() {
        guard state == .connected else { return release() }
        guard closing == nil else { return }
        if unsent == nil {
            finish(.done)
        } else {
            setState(.disconnecting)
            endReading()
            begin(Closing(.done, sendsRest: true))
        }
    }

    /// The socket failed while receiving.
    func peerBroke(_ error: SystemError) {
        guard state == .connected else { return release() }
        finish(.lost(error))
    }

    /// A callback threw: the error is logged, and is the reason of the end that follows.
    func handlerFailed(_ error: any Error, in callback: String) {
        log(error, in: callback)
        if let closing {
            closing.reason = .failed(error)
        } else {
            lose(because: .failed(error))
        }
    }

    private func log(_ error: any Error, in callback: String) {
        let name = handler.map { "\(type(of: $0))" } ?? "the protocol"
        loop.logger.error("\(name).\(callback) threw: \(error)", metadata: ["peer": "\(peer)"])
    }

    private func begin(_ closing: Closing) {
        self.closing?.cancelTimer()
        self.closing = closing
        if !closing.readsRest, state == .disconnecting { endReading() }
        loop.close(self)
    }

    /// Takes the next step towards the end: from the loop on the turn after the end began, and whenever what waited has left.
    func continueClosing() {
        guard let closing, state != .disconnected else { return }
        if closing.readsRest, state == .connected {
            receive()
            guard state != .disconnected else { return }
        }
        if closing.sendsRest, let unsent {
            closing.unsentCount = unsent.count
            if closing.timer == nil { watchForStall(closing) }
        } else {
            finish(closing.reason)
        }
    }

    /// Gives the peer up when it took nothing for the stall timeout.
    private func watchForStall(_ closing: Closing) {
        closing.timer = loop.callLater(settings.options.stallTimeout) { [weak self] in
            guard let self, self.closing === closing, let unsent else { return }
            if unsent.count < closing.unsentCount {
                closing.unsentCount = unsent.count
                watchForStall(closing)
            } else {
                abort(because: .timedOut)
            }
        }
    }

    /// Tells the protocol, exactly once, and lets the socket go.
    func finish(_ reason: ConnectionLost) {
        guard state != .disconnected else { return }
        setState(.disconnected)
        loop.stage.forget(self)
        unsent = nil
        closing?.cancelTimer()
        let isOursToLinger = closing?.sendsRest == true && reason != .reactorStopped
        closing = nil
        let ended = handler
        handler = nil
        if let ended {
            do {
                try ended.connectionLost(reason)
            } catch {
                loop.logger.error("\(type(of: ended)).connectionLost threw: \(error)", metadata: ["peer": "\(peer)"])
            }
        }
        connector?.connectionLost(reason)
        if isOursToLinger {
            linger()
        } else {
            release()
        }
        loop.endCallback()
    }

    /// Closes the socket so that the peer gets all that was sent: where closing could turn into a reset, says that no more will come and
    /// discards input until the peer closes too, for a limited time.
    private func linger() {
        socket.shutdownWriting()
        guard socket.wouldResetOnClose else { return release() }
        do throws(SystemError) {
            try startReading()
        } catch {
            return release()
        }
        let lingering = Closing(.done)
        lingering.timer = loop.callLater(settings.options.lingerTimeout) { [weak self] in self?.release() }
        closing = lingering
    }

    /// Closes the descriptor, once; its events go first.
    func release() {
        guard loop.release(self) else { return }
        closing?.cancelTimer()
        closing = nil
        endReading()
        socket.close()
    }
}
