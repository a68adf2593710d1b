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
        switch ruling(.connect, []) {
        case .pass: break
        case .deliver(let delay): path.stall(for: delay, from: world.now)
        case .hold: break
        case .drop:
            note(.hangs)
            return .hangs
        case .end, .reset: return .refused
        }
        let (outcome, delay) = path.draws.attempt(path.link.faults)
        if case .hangs = outcome { note(.hangs) }
        if delay > .zero { path.stall(for: delay, from: world.now) }
        return outcome
    }

    /// Sends a segment, unless something goes wrong with it.
    func sendOverFaultyLink(_ segment: ArraySlice<UInt8>, to peer: SimulatedSocket) {
        guard !isSevered, !isRuled(.data, Array(segment), to: peer) else { return }
        let drawn = path.draws.segment(of: segment.count, at: sentCount, path.link.faults)
        if let stall = drawn.stall {
            note(.stalls, Int(stall.nanoseconds))
            path.stall(for: stall, from: world.now)
        }
        if let closed = drawn.zeroWindow {
            note(.zeroWindow, Int(closed.nanoseconds))
            path.closedUntil = world.now.advanced(by: closed)
        }
        transmit(Array(segment.prefix(drawn.head)), to: peer)
        if let ending = drawn.ending { return sever(ending) }
        transmit(Array(segment.dropFirst(drawn.head)), to: peer)
    }

    /// What the test's rules say about something that is to be sent; one that holds it up does so from now on.
    private func ruling(_ kind: SimulatedSegment.Kind, _ bytes: [UInt8]) -> SimulatedVerdict {
        guard !world.wiring.rules.isEmpty else { return .pass }
        let link = path.link
        let segment = SimulatedSegment(
            kind: kind, from: link.from, to: link.to, connection: path.number, offset: sentCount, bytes: bytes)
        guard let (verdict, rule) = world.wiring.verdict(on: segment) else { return .pass }
        note(.ruled, bytes.count)
        if verdict == .hold { path.holder = rule }
        return verdict
    }

    /// Whether a rule has decided about something that is to be sent, and what it decided is done.
    func isRuled(_ kind: SimulatedSegment.Kind, _ bytes: [UInt8], to peer: SimulatedSocket) -> Bool {
        // What a rule holds up was decided about already.
        switch path.holder?.isInForce == true ? .hold : ruling(kind, bytes) {
        case .pass: return false
        case .deliver(let delay):
            path.stall(for: delay, from: world.now)
            pass(kind, bytes, to: peer)
        case .hold:
            noteSendingInVain()
            pass(kind, bytes, to: peer)
        case .drop: sever(.vanish)
        case .end: sever(.end)
        case .reset: sever(.reset)
        }
        return true
    }

    private func pass(_ kind: SimulatedSegment.Kind, _ bytes: [UInt8], to peer: SimulatedSocket) {
        if kind == .end { send { peer.finishArrives() } } else { transmit(bytes, to: peer) }
    }

    /// Whether nothing that is sent now arrives.
    var isUnheard: Bool { path.isDead || path.isHeld || peer?.isDark == true }

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
            if isUnheard { breakOff(ETIMEDOUT) }
        }
    }
}
