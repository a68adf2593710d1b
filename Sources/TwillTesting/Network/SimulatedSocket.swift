import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One end of a simulated connection as a system has it: what has arrived and was not read, and how much the other end may still send.
///
/// It knows no protocol; its ``reader`` is told when there is something to read. What it sends is in the world's agenda until it arrives.
final class SimulatedSocket {
    /// How the peer has ended what it sends.
    enum End {
        case none
        /// In good order, after all its bytes.
        case finished
        /// By a reset: what was not read is gone.
        case broken(SystemError)
    }

    /// How often it asks for room where the window is closed.
    private static let pauseBetweenProbes = Duration.milliseconds(500)

    // The world runs what it does.
    unowned let world: SimulatedWorld
    let local: Address
    let remote: Address
    var path: SimulatedPath
    private(set) var peer: SimulatedSocket?
    /// Who reads; the transport closes the socket before it goes.
    var reader: SimulatedTransport?

    private var input = ByteQueue()
    private(set) var end = End.none
    /// How many bytes this end has sent that the other end's protocol has not taken.
    private(set) var unreadByPeer = 0
    private var wantsRoom = false
    private var roomIsComing = false
    private var isProbing = false
    private(set) var sentCount = 0
    private var arrivedCount = 0
    private var hasFinished = false
    private var isClosed = false
    /// Whether its host answers nothing.
    private(set) var isDark = false
    /// The peer of one that has gone dark.
    private var unaware: SimulatedSocket?
    /// Whether the network has ended the connection.
    var isSevered = false
    var sendsInVain = false

    private init(world: SimulatedWorld, local: Address, remote: Address, path: SimulatedPath) {
        self.world = world
        self.local = local
        self.remote = remote
        self.path = path
    }

    /// Two ends that are not joined yet: of the one who connects, and of the one who is connected to.
    static func pair(
        in world: SimulatedWorld, from client: Address, to server: Address, over link: SimulatedLink, back: SimulatedLink
    ) -> (client: SimulatedSocket, server: SimulatedSocket) {
        (
            SimulatedSocket(world: world, local: client, remote: server, path: link.newPath()),
            SimulatedSocket(world: world, local: server, remote: client, path: back.newPath())
        )
    }

    /// Joins both ends; they let go of each other when they close.
    func join(_ other: SimulatedSocket) {
        peer = other
        other.peer = self
    }

    /// Notes what happened to what this end sends.
    func note(_ step: SimulationTrace.Step, _ count: Int = 0) {
        world.note(step, path.name, path.key, count)
    }

    /// Notes what must not happen to it.
    func violated(_ rule: String) {
        world.violated("\(path.name): \(rule)")
    }

    /// Lets something happen at the other end, after all that was sent before.
    func send(_ event: @escaping () -> Void) {
        dispatch(0, event)
    }

    private func dispatch(_ count: Int, _ event: @escaping () -> Void) {
        guard !path.isDead else { return }
        if path.isHeld, path.keepsWhileHeld({ self.dispatch(count, event) }) { return }
        world.at(path.arrival(of: count, sentAt: world.now), event)
    }

    // Sending.

    /// The size of the system's buffer for what is sent, where the connection asked for one.
    var sendBufferBytes: Int?

    /// How many bytes it takes now.
    var room: Int {
        if world.now < path.closedUntil { return 0 }
        return max(0, min(path.link.conditions.windowBytes, sendBufferBytes ?? .max) - unreadByPeer)
    }

    /// Sends bytes, of which there are no more than there is room for.
    func send(_ bytes: [UInt8]) {
        guard let peer, !hasFinished else { return }
        guard !isSevered else { return world.after(.zero) { self.breakOff(ECONNRESET) } }
        if isUnheard { noteSendingInVain() }
        unreadByPeer += bytes.count
        let size = FaultDraws.pieceBytes(of: bytes.count, isByteByByte: path.isByteByByte, atMost: path.link.conditions.segmentBytes)
        guard bytes.count > size || path.link.hasFaults || !world.wiring.rules.isEmpty else { return transmit(bytes, to: peer) }
        for start in stride(from: 0, to: bytes.count, by: size) {
            sendOverFaultyLink(bytes[start..<min(start + size, bytes.count)], to: peer)
        }
    }

    /// Sends a segment, on which nothing goes wrong.
    func transmit(_ segment: [UInt8], to peer: SimulatedSocket) {
        guard !segment.isEmpty else { return }
        let offset = sentCount
        sentCount += segment.count
        dispatch(segment.count) { peer.arrive(segment, at: offset, from: self) }
    }

    /// Asks for ``SimulatedTransport/roomCame()`` when it takes bytes again.
    func askForRoom() {
        wantsRoom = true
        // Where nothing is under way that could make room, the window is closed, and has to be asked for, as TCP does.
        guard unreadByPeer == 0, !isProbing, !isClosed else { return }
        isProbing = true
        world.after(Self.pauseBetweenProbes, isWait: path.isDead) { [self] in
            isProbing = false
            guard !isClosed, wantsRoom, !roomIsComing else { return }
            guard room > 0 else { return askForRoom() }
            wantsRoom = false
            reader?.roomCame()
        }
    }

    /// Says that no more will be sent.
    func finish() {
        guard let peer, !hasFinished else { return }
        hasFinished = true
        guard !isSevered, !isRuled(.end, [], to: peer) else { return }
        send { peer.finishArrives() }
    }

    /// Ends both directions at once.
    func reset() {
        guard !isClosed else { return }
        if let peer { send { peer.breakOff(ECONNRESET) } }
        forget()
    }

    /// Gives the socket up: in good order, unless something was left unread.
    func close() {
        guard input.isEmpty else { return reset() }
        finish()
        forget()
    }

    /// Drops the connection: the peer sees a reset; of a UNIX socket an end, unless it has seen that already.
    func abort() {
        if isUNIX, !hasFinished { close() } else { reset() }
    }

    private var isUNIX: Bool {
        if case .unix = remote { true } else if case .unix = local { true } else { false }
    }

    /// Its host has gone dark: the socket is gone, and nobody is told.
    func goDark() {
        unaware = peer
        isDark = true
        forget()
    }

    /// Its host is back, and answers whoever has sent something meanwhile that it knows of no connection.
    func comeBack() {
        isDark = false
        if let unaware, unaware.sendsInVain { send { unaware.breakOff(ECONNRESET) } }
        unaware = nil
    }

    private func forget() {
        isClosed = true
        peer = nil
        reader = nil
        input.removeAll()
    }

    // Receiving.

    var hasInput: Bool { !input.isEmpty }

    /// Takes what has arrived, as much of it as is asked for.
    func take(_ wanted: Int) -> [UInt8] {
        let bytes = input.take(wanted)
        makeRoom(bytes.count)
        return bytes
    }

    /// Takes all that has arrived, and lets it go.
    func discardInput() {
        makeRoom(input.count)
        input.removeAll()
    }

    private func arrive(_ segment: [UInt8], at offset: Int, from sender: SimulatedSocket) {
        sender.note(.arrives, segment.count)
        guard !isClosed else { return isDark ? sender.noteSendingInVain() : send { sender.breakOff(ECONNRESET) } }
        if offset != arrivedCount { violated("byte \(offset) arrived where byte \(arrivedCount) was next") }
        arrivedCount += segment.count
        if let reader, input.isEmpty, reader.readsAtOnce {
            makeRoom(segment.count)
            reader.receive(segment)
        } else {
            input.append(segment)
            reader?.inputArrived()
        }
    }

    /// The peer's end has arrived.
    func finishArrives() {
        guard !isClosed, case .none = end else { return }
        note(.finishes)
        end = .finished
        reader?.inputArrived()
    }

    /// A reset has arrived, or the system gives up.
    func breakOff(_ errno: CInt) {
        guard !isClosed else { return }
        if case .broken = end { return }
        note(.breaks, Int(errno))
        end = .broken(SystemError(call: "recv", errno: errno))
        peer = nil
        input.removeAll()
        reader?.inputArrived()
    }

    /// Lets the peer send more, and tells it where it waits for that.
    private func makeRoom(_ count: Int) {
        guard let peer, count > 0 else { return }
        peer.unreadByPeer -= count
        guard peer.wantsRoom, !peer.roomIsComing else { return }
        peer.roomIsComing = true
        send {
            peer.roomIsComing = false
            peer.wantsRoom = false
            peer.reader?.roomCame()
        }
    }
}
