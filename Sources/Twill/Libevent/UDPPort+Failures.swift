import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the system would not take, and what a callback threw. The protocol is told before the loop waits again, never from inside a call of its
/// own.
extension UDPPort {
    /// What the protocol has still to be told.
    struct Notices {
        /// How many refused datagrams are told one by one.
        static let failuresMax = 16

        var isFilled = false
        var isRefused = false
        var failures: [DatagramError] = []
        /// Whether the loop will come back for them.
        var isAwaited = false
    }

    /// Sends datagrams that were accepted before; called by the stage.
    func send(_ batch: UDPBatch, count: Int) {
        var next = 0
        var hasRetried = false
        while next < count {
            let taken = sendSome(of: batch, from: next, before: count)
            if taken > 0 {
                counters.sent += taken
                for index in next..<next + taken { counters.bytesSent += batch.byteCount(index) }
                next += taken
                hasRetried = false
                continue
            }
            let error = SystemError(call: "sendmsg")
            switch error.errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK, ENOBUFS, ENOMEM: return dropAll(count - next)
            case ECONNREFUSED where !hasRetried:
                // That is about an earlier datagram, and this one was not tried.
                noteRefusal()
                hasRetried = true
            default:
                note(failure: error, to: batch.address(next) ?? peerAddress ?? .unknown)
                next += 1
                hasRetried = false
            }
        }
    }

    /// Sends a run of datagrams of one size to one address, or those before the next run; how many the system took, or -1 with errno.
    @inline(__always)
    private func sendSome(of batch: UDPBatch, from first: Int, before end: Int) -> Int {
        var plainEnd = first
        while runSizeMax > 0, plainEnd < end {
            let length = batch.runLength(from: plainEnd, before: end, sizeMax: runSizeMax)
            guard length >= Self.runLengthMin else {
                plainEnd += length
                continue
            }
            guard plainEnd == first else { break }
            if batch.sendRun(from: first, count: length, to: socket.descriptor) { return length }
            // What has nothing to do with runs is answered as ever.
            guard isAboutRuns(systemErrno) else { return -1 }
            runSizeMax = systemErrno == EINVAL || systemErrno == EMSGSIZE ? batch.byteCount(first) - 1 : 0
        }
        return batch.send(from: first, count: (plainEnd > first ? plainEnd : end) - first, to: socket.descriptor)
    }

    /// Whether an error may come of sending a run in one piece: its datagrams are longer than the network's packets, or the way there has no
    /// means to cut it. Then they are sent one by one, which tells what else may be wrong.
    private func isAboutRuns(_ number: CInt) -> Bool {
        [EINVAL, EMSGSIZE, EIO, EOPNOTSUPP, ENOPROTOOPT].contains(number)
    }

    /// The system has no room. The next datagrams are dropped without asking it, until it says that it has.
    private func dropAll(_ count: Int) {
        counters.dropped += count
        guard !isFull else { return }
        do throws(SystemError) {
            try watchForRoom()
            isFull = true
        } catch {
            // Then the next write asks again.
            loop.logger.error("Couldn't wait for room to send from \(host): \(error)")
        }
        if let more = fullLog.next(loop.now) {
            loop.logger.notice(
                "The send buffer of \(host) is full, and datagrams are dropped: write slower, or raise sendBufferBytes\(more)")
        }
        tellLater { $0.isFilled = true }
    }

    private func watchForRoom() throws(SystemError) {
        if writeEvent == nil {
            writeEvent = unsafe try Event(
                base: loop.base, descriptor: socket.descriptor, interest: .write,
                callback: { _, _, context in
                    unsafe UDPPort.withContext(context) { $0.writable() }
                },
                context: Unmanaged.passUnretained(self).toOpaque())
        }
        try writeEvent?.add()
    }

    private func writable() {
        guard loop.isRunning, isFull else { return }
        loop.beginCallback()
        isFull = false
        call("sendBufferDrained") { try $0.sendBufferDrained() }
        loop.endCallback()
    }

    /// Nothing came, or an error, which for a datagram socket is news of what was sent before; whether it was an error.
    @inline(never)
    func receivingFailed() -> Bool {
        if SystemError.isTransient(systemErrno) { return false }
        let error = SystemError(call: "recvmsg")
        if error.errno == ECONNREFUSED { noteRefusal() } else { note(failure: error, to: peerAddress ?? .unknown) }
        return true
    }

    private func noteRefusal() {
        counters.refused += 1
        tellLater { $0.isRefused = true }
    }

    private func note(failure error: SystemError, to address: Address) {
        counters.failed += 1
        let failure: DatagramError =
            switch error.errno {
            case EMSGSIZE: .tooLong(for: address, because: error)
            case EACCES where !broadcastAllowed: .broadcastNotAllowed(address, because: error)
            default: .failed(address, because: error)
            }
        if let more = failureLog.next(loop.now) { loop.logger.warning("\(failure)\(more)") }
        tellLater { if $0.failures.count < Notices.failuresMax { $0.failures.append(failure) } }
    }

    private func tellLater(_ add: (inout Notices) -> Void) {
        guard isOpen else { return }
        add(&notices)
        guard !notices.isAwaited else { return }
        notices.isAwaited = true
        loop.later { [self] in tell() }
    }

    private func tell() {
        let due = notices
        notices = Notices()
        if due.isFilled { call("sendBufferFilled") { try $0.sendBufferFilled() } }
        if due.isRefused { call("connectionRefused") { try $0.connectionRefused() } }
        for failure in due.failures {
            call("sendingFailed") { try $0.sendingFailed(failure) }
        }
    }

    /// Makes a call of the protocol's, where the port is open still.
    private func call(_ name: String, _ body: (DatagramProtocol) throws -> Void) {
        guard isOpen, let handler else { return }
        do {
            try body(handler)
        } catch {
            callbackThrew(error, in: name, from: nil)
        }
    }

    /// Logs what a callback threw; the port stays open.
    @inline(never)
    func callbackThrew(_ error: any Error, in callback: String, from sender: Address?) {
        // What a sender did wrong is its own to know; a log of it would be the sender's to fill.
        guard !(error is Rejection), let more = errorLog.next(loop.now) else { return }
        let name = handler?.logPrefix ?? "the protocol"
        loop.logger.error("\(name).\(callback) threw: \(error)\(more)", metadata: sender.map { ["peer": "\($0)"] })
    }
}
