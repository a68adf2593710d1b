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

    /// What becomes of an attempt to connect.
    enum Fate {
        case connected
        case refused
        /// Nobody answers.
        case hangs
        /// It is connected, and reset at once.
        case reset
    }

    /// What becomes of the attempt to connect of which this is the client's end.
    func fate() -> Fate {
        let faults = path.link.faults
        note(.connects)
        if path.random.happens(perMillion: faults.refusals) { return .refused }
        if path.random.happens(perMillion: faults.hangs) {
            note(.hangs)
            return .hangs
        }
        if path.random.happens(perMillion: faults.slowConnects) {
            path.stall(for: path.random.duration(upTo: faults.slownessMax), from: world.now)
        }
        return path.random.happens(perMillion: faults.earlyResets) ? .reset : .connected
    }

    /// Sends a segment, unless something goes wrong with it.
    func sendOverFaultyLink(_ segment: ArraySlice<UInt8>, to peer: SimulatedSocket) {
        guard !isSevered else { return }
        let faults = path.link.faults
        if path.random.happens(perMillion: faults.stalls) {
            let duration = path.random.duration(upTo: faults.slownessMax)
            note(.stalls, Int(duration.nanoseconds))
            path.stall(for: duration, from: world.now)
        }
        if let cut = faults.cut, sentCount + segment.count >= cut.offset {
            transmit(Array(segment.prefix(max(0, cut.offset - sentCount))), to: peer)
            return sever(cut.ending)
        }
        if let ending = faults.ending(using: &path.random) {
            transmit(Array(segment.prefix(Int.random(in: 0...segment.count, using: &path.random))), to: peer)
            return sever(ending)
        }
        let splits = segment.count > 1 && path.random.happens(perMillion: faults.splits)
        let cut = splits ? Int.random(in: 1..<segment.count, using: &path.random) : segment.count
        transmit(Array(segment.prefix(cut)), to: peer)
        transmit(Array(segment.dropFirst(cut)), to: peer)
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
