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
    let role: any TLSRole

    /// What stands between the transport below and the protocol, until that was told of the loss.
    var shell: TLSProtocol?
    /// The protocol, until it was told of the loss.
    var handler: Protocol? { shell?.wrapped }
    var stream = StreamState()
    /// Whether the protocol knows the connection.
    var isMade: Bool
    /// Whether the handshake is over.
    var isSecure = false
    /// Whether the handshake has failed.
    var hasFailed = false
    /// Whether anybody may write, and nobody needs to be told of it.
    var mayWrite = true
    /// Whether what the callback that runs writes is sent when it ends.
    private(set) var isInCallback = false
    /// Whether a write is on its way that others must not overtake.
    var isWriting = false
    /// Whether that waits for the rest of a message of TLS's own, before which nothing can be encrypted.
    var isBlocked = false
    /// What was written and can't be encrypted yet, in order.
    var pending: [UInt8] = []
    /// What has arrived and can't be decrypted yet, because the protocol has paused, or other handshakes go first.
    var held: [UInt8] = []
    /// Whether a record was decrypted before those that are held, and waits in the engine.
    var hasLookedAhead = false
    private var willTakeHeld = false
    /// Whether the peer's bytes have ended behind those that are held.
    private var inputHasEnded = false
    /// Whether the peer has said by TLS that it will send no more.
    var peerHasEnded = false
    /// Whether this side has said it.
    var hasEnded = false
    var deadline: DelayedCall?
    var willSettle = false

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
    func fail(_ error: TLSError) {
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
    var wantsInput: Bool {
        switch stream.phase {
        case .open, .finishing, .writeClosed: true
        case .readClosed, .closing, .broken, .ending, .lost: false
        }
    }

    /// Whether something has arrived that waits for the protocol.
    var holdsInput: Bool { hasLookedAhead || !held.isEmpty }

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

    func takeHeldLater() {
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
}
