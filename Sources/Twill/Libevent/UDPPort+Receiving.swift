import Logging

/// How a port takes what has arrived: one batch at a time, one batch on each turn.
extension UDPPort {
    /// So many datagrams at once are a flood. Fewer would not be worth the two system calls that it takes not to wait.
    private static let floodCount = 16

    /// Takes one batch; whether there was anything. Called by libevent when something has arrived, and by the loop while a flood lasts.
    ///
    /// After a large batch the loop does not wait for the next: it asks for one on each turn, until there is none. Meanwhile the system has
    /// nobody to wake for each datagram that comes or goes, which is a tenth of what an echo costs it.
    func receive() -> Bool {
        // The turn on which libevent frees what a run has let go belongs to no run.
        guard loop.isRunning else { return true }
        loop.beginCallback()
        let count = intake.receive(from: socket.descriptor, atMost: datagramsPerTurn, size: maxPacketSize)
        guard count > 0 else { return receivingFailed() }
        if count >= Self.floodCount, !isFlooded { beginFlood() }
        var index = 0
        while index < count, isOpen {
            deliver(index)
            index += 1
        }
        loop.endCallback()
        return true
    }

    private func beginFlood() {
        isFlooded = true
        readEvent?.remove()
        loop.floodedPorts.append(self)
        loop.hasWork = true
    }

    /// Called by the loop when nothing was there any more: what comes next wakes it again.
    func endFlood() {
        isFlooded = false
        guard isOpen, !isDeaf else { return }
        do throws(SystemError) {
            try readEvent?.add()
        } catch {
            loop.logger.error("Couldn't wait for datagrams to \(host) any more, and closed it: \(error)")
            stopListening()
        }
    }

    @inline(__always)
    private func deliver(_ index: Int) {
        intake.take(index) { data, sender, isTruncated in
            // What others sent before the port was connected may still have waited.
            if let peerAddress, peerAddress != sender { return }
            guard !isTruncated else { return deliverTruncated(data, sender) }
            counters.received += 1
            counters.bytesReceived += data.count
            do {
                try heldHandler.call { try $0.datagramReceived(data, from: sender) }
            } catch {
                callbackThrew(error, in: "datagramReceived", from: sender)
            }
        }
    }

    private func deliverTruncated(_ beginning: Span<UInt8>, _ sender: Address) {
        counters.truncated += 1
        if let more = truncationLog.next(loop.now) {
            loop.logger.warning(
                "A datagram to \(host) had more than \(maxPacketSize) bytes, and its end is lost: raise maxPacketSize\(more)",
                metadata: ["peer": "\(sender)"])
        }
        do {
            try heldHandler.call { try $0.datagramTruncated(beginning, from: sender) }
        } catch {
            callbackThrew(error, in: "datagramTruncated", from: sender)
        }
    }
}
