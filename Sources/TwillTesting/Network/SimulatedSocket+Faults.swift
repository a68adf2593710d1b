import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What goes wrong with a connection, by the plan of the link that it goes over.
extension SimulatedSocket {
    /// How long a system sends in vain until it gives a connection up.
    private static let patience = Duration.seconds(15 * 60)

    /// What becomes of the attempt to connect of which this is the client's end.
    func fate() -> FaultDraws.Attempt {
        note(.connects)
        let (outcome, delay) = path.draws.attempt(path.link.faults)
        if case .hangs = outcome { note(.hangs) }
        if delay > .zero { path.stall(for: delay, from: world.now) }
        return outcome
    }

    /// Sends a segment, unless something goes wrong with it.
    func sendOverFaultyLink(_ segment: ArraySlice<UInt8>, to peer: SimulatedSocket) {
        guard !isSevered else { return }
        let drawn = path.draws.segment(of: segment.count, at: sentCount, path.link.faults)
        if let stall = drawn.stall {
            note(.stalls, Int(stall.nanoseconds))
            path.stall(for: stall, from: world.now)
        }
        transmit(Array(segment.prefix(drawn.head)), to: peer)
        if let ending = drawn.ending { return sever(ending) }
        transmit(Array(segment.dropFirst(drawn.head)), to: peer)
    }

    /// Ends the connection on behalf of the network, after what was sent so far.
    func sever(_ ending: FaultPlan.Ending) {
        guard let peer else { return }
        isSevered = true
        peer.isSevered = true
        switch ending {
        case .end:
            note(.cutByEnd)
            send { peer.finishArrives() }
            peer.send { self.finishArrives() }
        case .reset:
            note(.cutByReset)
            send { peer.breakOff(ECONNRESET) }
            peer.send { self.breakOff(ECONNRESET) }
        case .vanish:
            note(.vanishes)
            (isSevered, peer.isSevered) = (false, false)
            (path.isDead, peer.path.isDead) = (true, true)
            if unreadByPeer > 0 { noteSendingInVain() }
        }
    }

    /// Gives the connection up where nothing has arrived for so long.
    func noteSendingInVain() {
        guard !sendsInVain else { return }
        sendsInVain = true
        world.after(Self.patience, isWait: true) { [self] in
            sendsInVain = false
            if path.isDead || path.link.isHeld { breakOff(ETIMEDOUT) }
        }
    }
}
