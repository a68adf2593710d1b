/// A transport over another one: what a policy gives to the protocol that it wraps, where it must know what is written or hold the
/// protocol back.
///
/// ```swift
/// final class Talkative: ProtocolWrapper {
///     override func connectionMade() throws {
///         try wrapped.makeConnection(TransportWrapper(over: transport) { print("wrote \($0) bytes") })
///     }
/// }
/// ```
///
/// # Contract
/// - What ``Transport`` says: everything is handed on to the transport below, and its state is the state of this one at every moment.
/// - Reading is paused while the protocol or the policy wants it, whatever the other one does. The same holds for a producer.
/// - A subclass that looks at the bytes overrides both `write` and `writeFrame`; the other ways to write end in these.
///
/// See also ``ProtocolWrapper``.
open class TransportWrapper: Transport {
    /// The transport below.
    public final let inner: Transport

    private let onWrite: (Int) -> Void
    private var isPaused = false
    private var isInnerPaused = false
    private var hasEndedOutput = false
    // The transport below keeps it, for as long as it is registered there.
    private weak var producer: HoldableProducer?

    /// Puts a transport over another one, which may have one such over it.
    ///
    /// - Parameters:
    ///   - inner: the other one.
    ///   - onWrite: called with the number of bytes of each write that is taken, before it is handed on. It holds its policy weakly, because
    ///     the policy holds the protocol, and the protocol this transport.
    public init(over inner: Transport, onWrite: @escaping (Int) -> Void = { _ in }) {
        self.inner = inner
        self.onWrite = onWrite
        super.init()
        setState(inner.state)
        inner.layer = self
    }

    /// Whether what is written now is taken. It is dropped after the end of the output or of the connection, unless a producer is waited
    /// for.
    public final var takesOutput: Bool {
        switch state {
        case .connected: !hasEndedOutput || producer != nil
        case .disconnecting: producer != nil
        case .disconnected: false
        }
    }

    private func noteWrite(_ count: Int) {
        if count > 0, takesOutput { onWrite(count) }
    }

    open override func write(_ data: Span<UInt8>) {
        noteWrite(data.count)
        inner.write(data)
    }

    open override func write(_ shared: SharedBytes) {
        noteWrite(shared.count)
        inner.write(shared)
    }

    open override func write(_ data: Span<UInt8>, passing descriptors: [CInt]) throws {
        try inner.write(data, passing: descriptors)
        noteWrite(data.count)
    }

    open override func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        noteWrite(prefix.count + body.count + suffix.count)
        inner.writeFrame(prefix: prefix, body: body, suffix: suffix)
    }

    open override func loseConnection() { inner.loseConnection() }

    open override func loseConnection(because reason: ConnectionLost) { inner.loseConnection(because: reason) }

    open override func loseWriteConnection() {
        hasEndedOutput = true
        inner.loseWriteConnection()
    }

    open override func abortConnection() { inner.abortConnection() }

    open override func abortConnection(because reason: ConnectionLost) { inner.abortConnection(because: reason) }

    open override func pauseProducing() {
        isPaused = true
        settleReading()
    }

    open override func resumeProducing() {
        isPaused = false
        settleReading()
    }

    /// Set by the policy to stop reading, and reset to go on where the protocol has not paused it too.
    public final var holdsReading = false {
        didSet { settleReading() }
    }

    private func settleReading() {
        let pauses = isPaused || holdsReading
        guard pauses != isInnerPaused else { return }
        isInnerPaused = pauses
        if pauses { inner.pauseProducing() } else { inner.resumeProducing() }
    }

    /// Set by the policy to hold back the producer that is registered, or will be: one that pushes is paused, one that is pulled is not
    /// asked for more.
    public final var holdsProducer = false {
        didSet { settleProducer() }
    }

    private func settleProducer() {
        do {
            try producer?.setHeld(holdsProducer)
        } catch {
            callbackThrew(error, in: "producer.\(holdsProducer ? "pauseProducing" : "resumeProducing")")
        }
    }

    open override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        let previous = self.producer
        let holdable = HoldableProducer(producer, streaming: streaming, isHeld: holdsProducer)
        self.producer = holdable
        do {
            try inner.registerProducer(holdable, streaming: streaming)
        } catch {
            self.producer = previous
            throw error
        }
        settleProducer()
    }

    open override func unregisterProducer() {
        producer = nil
        inner.unregisterProducer()
    }

    open override var waterMarks: WaterMarks {
        get { inner.waterMarks }
        set { inner.waterMarks = newValue }
    }

    @discardableResult
    open override func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        inner.callLater(delay, call)
    }

    open override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        inner.replaceProtocol(previous, by: next)
    }

    open override func callbackThrew(_ error: any Error, in callback: String) {
        inner.callbackThrew(error, in: callback)
    }

    open override var host: Address { inner.host }

    open override var peer: Address { inner.peer }

    open override var peerCredentials: PeerCredentials? { inner.peerCredentials }

    open override var bufferedByteCount: Int { inner.bufferedByteCount }

    open override var reactor: any Reactor { inner.reactor }
}
