public import Twill

/// The transport of a connection that speaks TLS, over any other transport.
///
/// ```swift
/// final class Shop: LineReceiver {
///     override func connectionMade() {
///         if let tls = transport.tls { print(tls.version, tls.cipher, tls.peerCertificate?.subject ?? "nobody") }
///     }
/// }
/// ```
///
/// A ``TLSServerFactory``, a ``TLSClientFactory`` and `startTLS` of a protocol put it between the connection and the protocol. See also
/// `transport.tls`.
///
/// # Contract
/// What ``/Twill/Transport`` says. In addition:
/// - `connectionMade` comes after the handshake: whoever the peer is, it has shown what it had to.
/// - What one callback writes leaves in records of up to 16 KiB, once, when the callback ends.
/// - `loseConnection` sends what was written, then says by TLS that this is the end, and waits as long as the transport below lingers for the peer
///   to say so, too. `loseWriteConnection` says it for this half.
/// - A peer that ends its bytes without having said so has the connection end as ``/Twill/ConnectionLost/lost``, with ``TLSTruncated`` beneath.
/// - What waits unsent is counted as it goes over the wire, encrypted.
/// - Descriptors can't be passed: `write(_:passing:)` throws.
///
/// Twisted: `TLSMemoryBIOProtocol`, whose `connectionMade` comes before the handshake and whose `loseConnection` may wait for ever.
public final class TLSTransport: TransportWrapper {
    let engine: TLSEngine
    let workspace: TLSWorkspace
    /// Who is told of the handshake's end.
    private let role: any TLSRole

    /// What stands between the transport below and the protocol, until that was told of the loss.
    private var shell: TLSProtocol?
    /// The protocol, until it was told of the loss.
    var handler: Protocol? { shell?.wrapped }
    var stream = StreamState()
    /// Whether the protocol knows the connection.
    private(set) var isMade: Bool
    /// Whether the handshake is over.
    private(set) var isSecure = false
    /// Whether the handshake has failed.
    private var hasFailed = false
    /// Whether anybody may write, and nobody needs to be told of it.
    var mayWrite = true
    /// Whether what the callback that runs writes is sent when it ends.
    private(set) var isInCallback = false
    /// Whether a write is on its way that others must not overtake.
    private var isWriting = false
    /// Whether that waits for the rest of a message of TLS's own, before which nothing can be encrypted.
    private(set) var isBlocked = false
    /// What was written and can't be encrypted yet, in order.
    private(set) var pending: [UInt8] = []
    /// What has arrived and can't be decrypted yet, because the protocol has paused, or other handshakes go first.
    private var held: [UInt8] = []
    /// Whether a record was decrypted before those that are held, and waits in the engine.
    private var hasLookedAhead = false
    private var willTakeHeld = false
    /// Whether the peer's bytes have ended behind those that are held.
    private var inputHasEnded = false
    /// Whether the peer has said by TLS that it will send no more.
    private var peerHasEnded = false
    /// Whether this side has said it.
    private var hasEnded = false
    private var deadline: DelayedCall?
    private var willSettle = false

    // In TLSTransport+Producers.swift.
    var flow: FlowControl?
    var pressure: TLSPressure?
    /// Whether somebody waits for all that was written to leave.
    var isDraining = false

    /// - Parameter isMade: whether the protocol is connected already, by the transport below.
    init(over inner: Transport, role: any TLSRole, engine: TLSEngine, workspace: TLSWorkspace, shell: TLSProtocol, isMade: Bool) {
        self.role = role
        self.engine = engine
        self.workspace = workspace
        self.shell = shell
        self.isMade = isMade
        super.init(over: inner)
        inner.expectsLastWord = true
    }

    // The handshake.

    /// Begins it: a client speaks first, a server waits.
    func begin(within timeout: Duration, unread: [UInt8]) {
        deadline = inner.callLater(timeout) { [weak self] in
            self?.fail(TLSError(.timedOut, "the handshake was not over within \(timeout)"))
        }
        if role.isClient { step(Span()) }
        if !unread.isEmpty { receive(unread.span) }
    }

    /// Takes a step of the handshake; what is left of the input is the first of what was encrypted.
    private func step(_ input: Span<UInt8>) {
        var position = 0
        let outcome = engine.shakeHands(input, from: &position)
        sendOutput()
        switch outcome {
        case .waits, .more: break
        case .isSecure:
            handshakeIsOver()
            if position < input.count { receive(input.extracting(position...)) }
        case .ended: fail(TLSError(.closed, "the peer closed the connection in the middle of the handshake"))
        case .failed: fail(engine.failure(isSecure: false))
        }
    }

    private func handshakeIsOver() {
        deadline?.cancelIfActive()
        deadline = nil
        if let refusal = role.refusal(of: self) { return fail(refusal) }
        isSecure = true
        role.handshakeEnded(nil)
        guard stream.phase.rawValue <= StreamState.Phase.closing.rawValue else { return }
        // What was written meanwhile goes first, whatever a callback writes now, and before an end that it asks for.
        isWriting = !pending.isEmpty
        if isMade {
            tell("handshakeCompleted") { try ($0 as? any TLSHandshakeListener)?.handshakeCompleted() }
        } else {
            isMade = true
            tell("connectionMade") { try $0.makeConnection(self) }
            role.connectionMade(self)
        }
        isWriting = false
        sendPending()
        if flow != nil { pull() }
        settle()
    }

    /// The handshake failed, or came to nothing: says so to whoever waits for it, and closes.
    private func fail(_ error: TLSError) {
        guard !hasFailed, stream.phase != .lost else { return }
        hasFailed = true
        deadline?.cancelIfActive()
        deadline = nil
        let reason: ConnectionLost = error == .timedOut ? .timedOut(error) : .lost(error)
        if !isSecure { role.handshakeEnded(error) }
        apply(.receivingBroke(reason))
    }

    // Reading.

    /// Takes what arrived on the transport below.
    func receive(_ data: Span<UInt8>) {
        isInCallback = true
        take(data)
        isInCallback = false
        workspace.flush(self)
    }

    @inline(__always)
    private func take(_ data: Span<UInt8>) {
        guard !holdsInput, isSecure, stream.takesInput else { return takeOtherwise(data) }
        decrypt(data)
    }

    private func takeOtherwise(_ data: Span<UInt8>) {
        guard wantsInput || !isSecure || isBlocked, stream.phase != .lost, !hasFailed, !peerHasEnded else { return }
        if !holdsInput, isSecure, stream.takesInput || !wantsInput {
            decrypt(data)
        } else if !holdsInput, !isSecure, role.isClient || workspace.takeStep(on: inner.reactor) {
            step(data)
        } else {
            hold(data)
        }
    }

    private func decrypt(_ data: Span<UInt8>) {
        var position = 0
        while true {
            let outcome = engine.decrypt(data, from: &position, hasOutput: { sendOutput() }, deliver: { deliver($0) })
            if isBlocked { unblock() }
            switch outcome {
            case .waits, .isSecure: return
            case .more:
                guard position < data.count else { return }
                guard stream.takesInput else {
                    if stream.visible == .connected { hold(data.extracting(position...)) }
                    return
                }
            case .ended: return peerEnded()
            case .failed: return fail(engine.failure(isSecure: true))
            }
        }
    }

    @inline(__always)
    private func deliver(_ data: Span<UInt8>) {
        guard stream.takesInput, let handler else { return }
        do {
            try handler.dataReceived(data)
        } catch {
            callbackThrew(error, in: "dataReceived")
        }
    }

    /// Whether the protocol may still get something.
    private var wantsInput: Bool {
        switch stream.phase {
        case .open, .finishing, .writeClosed: true
        case .readClosed, .closing, .broken, .ending, .lost: false
        }
    }

    /// Whether something has arrived that waits for the protocol.
    private var holdsInput: Bool { hasLookedAhead || !held.isEmpty }

    private func hold(_ data: Span<UInt8>) {
        var bytes = held
        held = []
        bytes.append(copying: data)
        held = bytes
        if isSecure, !stream.takesInput, !hasLookedAhead { lookAhead() }
        holdsReading = holdsInput
        if takesHeld { takeHeldLater() }
    }

    /// Whether what waits may be taken: a handshake goes on for a protocol that has paused or closes, too.
    private var takesHeld: Bool { holdsInput && (stream.takesInput || !isSecure) }

    /// Looks whether what waits for a protocol that has paused begins with the peer's end, of which it shall hear.
    private func lookAhead() {
        let bytes = held
        held = []
        var position = 0
        let outcome = engine.lookAhead(bytes.span, from: &position)
        sendOutput()
        if isBlocked { unblock() }
        switch outcome {
        case .ended: peerEnded()
        case .failed: fail(engine.failure(isSecure: true))
        case .more, .waits, .isSecure:
            hasLookedAhead = outcome == .more
            held = Array(bytes[position...])
        }
    }

    private func takeHeldLater() {
        guard !willTakeHeld else { return }
        willTakeHeld = true
        inner.callLater(.zero) { [weak self] in self?.takeHeld() }
    }

    private func takeHeld() {
        willTakeHeld = false
        guard takesHeld else { return }
        // In a crowd it waits many turns, and is not copied on each.
        guard isSecure || role.isClient || workspace.hasSteps else { return takeHeldLater() }
        let bytes = held
        held = []
        hasLookedAhead = false
        receive(bytes.span)
        guard !holdsInput else { return }
        holdsReading = false
        if inputHasEnded { inputEnded() }
    }

    /// The peer has said by TLS that it will send no more.
    private func peerEnded() {
        peerHasEnded = true
        apply(.peerClosed(halfCloseable: handler?.halfCloseable != nil))
    }

    /// The transport below has come to the end of its input.
    func inputEnded() {
        guard !holdsInput else { return inputHasEnded = true }
        guard !peerHasEnded, !hasFailed else { return }
        if isSecure {
            apply(.lose(.lost(TLSTruncated())))
            // As at the end that TLS says: nothing else would tell it to end.
            if flow?.pulls == false { stopProducer() }
            settle()
        } else {
            fail(TLSError(.closed, "the peer closed the connection in the middle of the handshake"))
        }
    }

    public override func pauseProducing() {
        // The transport below goes on until something comes, so that the peer's end is noticed, which is encrypted.
        apply(.pause)
    }

    public override func resumeProducing() {
        apply(.resume)
    }

    // Writing.

    public override func write(_ data: Span<UInt8>) {
        guard mayWrite || takesProducersOutput(), !data.isEmpty else { return }
        guard isSecure, !isWriting else { return keep(data) }
        workspace.gather(data, for: self)
    }

    public override func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        guard mayWrite, isSecure, !isWriting, workspace.gather(prefix, body, suffix, for: self) else {
            write(prefix.bytes)
            write(body)
            return write(suffix.bytes)
        }
    }

    public override func write(_ shared: SharedBytes) {
        write(shared.bytes)
    }

    public override func write(_ data: Span<UInt8>, passing descriptors: [CInt]) throws {
        throw DescriptorPassingError.notUNIX
    }

    /// Keeps bytes until they can be encrypted.
    func keep(_ data: Span<UInt8>) {
        pending.append(copying: data)
        if pending.count > waterMarks.limit { apply(.abort(.unsentLimit)) }
        noteUnsent()
    }

    /// Sends what was kept.
    private func sendPending() {
        while !pending.isEmpty, isSecure, !isWriting, stream.sends {
            let bytes = pending
            pending = []
            encrypt(bytes.span)
        }
        // The transport below says nothing where it has taken all of it.
        noteUnsent()
    }

    /// Encrypts bytes of any number, and sends them.
    func encrypt(_ data: Span<UInt8>) {
        guard !isBlocked else { return keep(data) }
        isWriting = true
        var position = 0
        while position < data.count, inner.state != .disconnected {
            let end = min(position + TLSWorkspace.sliceBytes, data.count)
            guard encryptRecord(data.extracting(position..<end)) else {
                keepFirst(data.extracting(position...))
                break
            }
            position = end
        }
        isWriting = isBlocked
        if !pending.isEmpty { sendPending() }
        // What was asked for meanwhile had to wait for the rest.
        if stream.phase == .closing || stream.phase == .finishing { settle() }
    }

    /// Encrypts what fits into the workspace at once, and sends it; false where it can't.
    @inline(__always)
    func encryptRecord(_ data: Span<UInt8>) -> Bool {
        guard engine.encrypt(data) else { return false }
        sendOutput()
        return true
    }

    /// Keeps what could not be encrypted, before everything that was written after it; drops it where that never will be.
    func keepFirst(_ data: Span<UInt8>) {
        workspace.dropOutput()
        guard !engine.isBroken else { return }
        (isBlocked, isWriting) = (true, true)
        pending.insert(contentsOf: [UInt8](copying: data), at: 0)
        noteUnsent()
    }

    /// Something has arrived: what could not be encrypted may be now.
    private func unblock() {
        (isBlocked, isWriting) = (false, false)
        sendPending()
        guard !isBlocked else { return }
        deadline?.cancelIfActive()
        deadline = nil
        settle()
    }

    /// Closing waits for the rest of what the peer has begun to say, and not for ever.
    private func waitToClose() {
        guard isBlocked, stream.phase == .closing, deadline == nil else { return }
        let limit = Duration.seconds(10)
        deadline = inner.callLater(limit) { [weak self] in
            self?.fail(TLSError(.timedOut, "the rest of a message of TLS's own did not come within \(limit)"))
        }
    }

    @inline(__always)
    private func sendOutput() {
        workspace.takeOutput { inner.write($0) }
    }

    // Producers, in TLSTransport+Producers.swift.

    public override var waterMarks: WaterMarks {
        get { marks }
        set { setMarks(newValue) }
    }

    public override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        try register(producer, streaming: streaming)
    }

    public override func unregisterProducer() {
        letProducerGo()
    }

    public override var bufferedByteCount: Int { inner.bufferedByteCount + pending.count }

    // Closing.

    public override func loseConnection() { apply(.lose(.done)) }

    public override func loseConnection(because reason: ConnectionLost) { apply(.lose(reason)) }

    public override func loseWriteConnection() { apply(.loseWrite) }

    public override func abortConnection() { apply(.abort(.aborted)) }

    public override func abortConnection(because reason: ConnectionLost) { apply(.abort(reason)) }

    public override func callbackThrew(_ error: any Error, in callback: String) {
        log(error, in: callback)
        apply(.threw(error))
    }

    @discardableResult
    public override func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        inner.callLater(delay) { [weak self] in
            guard let self, state != .disconnected else { return }
            do {
                try call()
            } catch {
                callbackThrew(error, in: "a delayed call")
            }
        }
    }

    public override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        shell?.replace(previous, by: next)
    }

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

    private func tell(_ callback: String, _ call: (Protocol) throws -> Void) {
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

/// Who a TLS connection is on this side, and who wants to know what comes of its handshake.
protocol TLSRole: AnyObject {
    /// Whether this side speaks first.
    var isClient: Bool { get }
    /// Whether the handshake may begin now; where it may not, the role lets the protocol go on later.
    func mayBegin(_ connection: TLSProtocol) -> Bool
    /// Why the peer is refused although OpenSSL takes it; nil where it is not.
    func refusal(of connection: TLSTransport) -> TLSError?
    /// Called once: the handshake is over, or has failed.
    func handshakeEnded(_ error: TLSError?)
    /// Called after the protocol's `connectionMade`, where the handshake came before that.
    func connectionMade(_ layer: TLSTransport)
}

/// A protocol that is told when a handshake is over that began in the middle of its connection, by `startTLS` of a protocol.
///
/// Where the connection begins with TLS, `connectionMade` says the same.
///
/// Twisted: `IHandshakeListener`.
public protocol TLSHandshakeListener: Protocol {
    /// Called once, when everything that arrives and is written from now on is encrypted, and the peer has shown what it had to. What was written
    /// meanwhile is sent now.
    func handshakeCompleted() throws
}
