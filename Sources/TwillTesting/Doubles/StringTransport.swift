public import Twill

/// A connection without a network: it keeps what a protocol writes, and delivers what the test says.
///
/// ```swift
/// final class Greeter: LineReceiver {
///     override func connectionMade() { sendLine("hello") }
///     override func lineReceived(_ line: Span<UInt8>) { transport.loseConnection() }
/// }
///
/// let transport = StringTransport()
/// try transport.connect(Greeter())
/// #expect(transport.text == "hello\r\n")
/// try transport.receive("bye\r\n")
/// #expect(transport.state == .disconnecting)
/// transport.lose()
/// ```
///
/// # Contract
/// - It is what ``/Twill/Transport`` says, but for time: nothing happens here by itself. A connection that was asked to close stays
///   `disconnecting` until ``lose(_:)``, input waits in ``unread`` while the protocol pauses, and a pull producer is asked by ``pull()``.
/// - What is written is taken at once, unless ``room`` says less; then it waits in `bufferedByteCount` until ``take(_:)``, and push producers
///   are paused and resumed by the water marks.
/// - What no network could do traps, with a sentence: a second protocol, input after the loss, a second loss.
/// - It and its protocol hold each other until ``lose(_:)``.
///
/// Twisted: `StringTransport` of `twisted.internet.testing`.
public final class StringTransport: Transport {
    private lazy var loop: any Reactor = SimulatedReactor()
    private let ownHost: Address
    private let peerHost: Address
    private let flow = FlowControl(marks: WaterMarks())
    private var handler: Protocol?
    private var wasUsed = false
    private var takesWrites = true
    private var waiting = 0

    /// What was written, each write for itself.
    public private(set) var writes: [[UInt8]] = []
    /// What has arrived and was not delivered, because the protocol has paused or closed.
    public private(set) var unread: [UInt8] = []
    /// Whether the protocol has paused its input.
    public private(set) var isPaused = false
    /// Whether the protocol has closed its half, or all of it.
    public var isWriteClosed: Bool { !takesWrites }
    /// Whether the protocol has aborted the connection.
    public private(set) var wasAborted = false
    /// Why the protocol has asked to close, or was told of the loss; nil before.
    public private(set) var reason: ConnectionLost?
    /// How many more bytes the peer takes at once.
    public var room = Int.max

    /// Makes an open connection between two addresses.
    ///
    /// - Parameters:
    ///   - reactor: where the protocol's timers are set, a ``SimulatedReactor`` of the test's; nil for one that never runs.
    ///   - host: this side's address.
    ///   - peer: the other side's.
    public init(
        reactor: (any Reactor)? = nil,
        host: Address = .ipv4(IPv4Address(bits: 0xC000_0201, port: 8007)),
        peer: Address = .ipv4(IPv4Address(bits: 0xC000_0202, port: 54321))
    ) {
        ownHost = host
        peerHost = peer
        super.init()
        if let reactor { loop = reactor }
        setState(.connected)
    }

    // What the test does.

    /// Everything that was written, in one piece. Twisted: `value`.
    public var bytes: [UInt8] { Array(writes.joined()) }

    /// Everything that was written, as text; what is no UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Forgets what was written so far. Twisted: `clear`.
    public func clear() {
        writes = []
    }

    /// Who produces for this connection now.
    public var producer: (any Producer)? { flow.producer }

    /// Connects a protocol, whose `connectionMade` is called now.
    ///
    /// - Throws: what it throws; the connection was closed for it by then.
    public func connect(_ handler: Protocol) throws {
        precondition(!wasUsed, "a transport serves one protocol: make another transport for another one")
        wasUsed = true
        self.handler = handler
        try call("connectionMade") { try handler.makeConnection(self) }
    }

    /// Delivers bytes to the protocol, after those that it left ``unread``, as far as it takes them.
    ///
    /// - Throws: what `dataReceived` throws; the connection was closed for it by then.
    public func receive(_ bytes: [UInt8], chunked chunking: Chunking = .whole) throws {
        precondition(handler != nil, "there is nobody to deliver to: connect a protocol first, and deliver nothing after the loss")
        let waiting = unread.isEmpty ? [] : [unread]
        var pieces = (waiting + chunking.pieces(ofCount: bytes.count).map { Array(bytes[$0]) })[...]
        defer { unread = Array(pieces.joined()) }
        while state == .connected, !isPaused, let piece = pieces.popFirst(), let handler {
            // From the middle of a larger buffer, as a reactor lends it.
            let buffer = [0xA5] + piece + [0x5A]
            try call("dataReceived") { try handler.dataReceived(buffer.span.extracting(1...piece.count)) }
        }
    }

    /// Delivers a text's UTF-8; see ``receive(_:chunked:)-([UInt8],_)``.
    public func receive(_ text: String, chunked chunking: Chunking = .whole) throws {
        try receive(Array(text.utf8), chunked: chunking)
    }

    /// Says that the peer will send no more: a protocol that is half-closeable hears it, any other is asked to close.
    ///
    /// - Throws: what `readConnectionLost` throws.
    public func closePeersHalf() throws {
        guard let halfCloseable = handler?.halfCloseable, takesWrites else { return loseConnection() }
        try call("readConnectionLost") { try halfCloseable.readConnectionLost() }
    }

    /// Lets the peer take so many of the bytes that wait; a paused producer may be resumed.
    public func take(_ count: Int) {
        waiting -= min(count, waiting)
        noteWaiting()
    }

    /// Asks the pull producer for its next piece.
    ///
    /// - Precondition: there is one.
    public func pull() {
        guard let producer = flow.producer, flow.pulls else { preconditionFailure("there is no pull producer to ask") }
        attempt("producer.resumeProducing") { try producer.resumeProducing() }
    }

    /// Ends the connection, as a reactor does on a later turn: the producer is stopped, and the protocol is told.
    ///
    /// - Parameter reason: why; nil for what the protocol has asked for, or a clean end.
    public func lose(_ reason: ConnectionLost? = nil) {
        precondition(state != .disconnected, "the connection is lost already: a protocol is told once")
        let why = reason ?? self.reason ?? .done
        self.reason = why
        takesWrites = false
        waiting = 0
        setState(.disconnected)
        cancelOwnCalls()
        if let producer = flow.unregister() { attempt("producer.stopProducing") { try producer.stopProducing() } }
        guard let ended = handler else { return }
        handler = nil
        attempt("connectionLost") { try ended.connectionLost(why) }
    }

    // What the protocol does.

    public override func write(_ data: Span<UInt8>) {
        // A producer of a closing connection is waited for.
        guard takesWrites || state != .disconnected && flow.producer != nil, !data.isEmpty else { return }
        writes.append([UInt8](copying: data))
        let taken = waiting > 0 ? 0 : min(room, data.count)
        if room != .max { room -= taken }
        waiting += data.count - taken
        noteWaiting()
    }

    public override func loseConnection() { loseConnection(because: .done) }

    public override func loseConnection(because reason: ConnectionLost) {
        guard state == .connected else { return }
        self.reason = reason
        takesWrites = false
        setState(.disconnecting)
    }

    public override func loseWriteConnection() { takesWrites = false }

    public override func abortConnection() { abortConnection(because: .aborted) }

    public override func abortConnection(because reason: ConnectionLost) {
        guard state != .disconnected, !wasAborted else { return }
        self.reason = reason
        wasAborted = true
        takesWrites = false
        waiting = 0
        setState(.disconnecting)
    }

    public override func pauseProducing() {
        if state == .connected { isPaused = true }
    }

    public override func resumeProducing() {
        if state == .connected { isPaused = false }
    }

    public override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        guard flow.producer == nil else { throw ProducerError.alreadyRegistered }
        guard takesWrites else { return attempt("producer.stopProducing") { try producer.stopProducing() } }
        flow.register(producer, streaming: streaming)
        if streaming { noteWaiting() } else { pull() }
    }

    public override func unregisterProducer() {
        flow.unregister()
    }

    public override var waterMarks: WaterMarks {
        get { flow.marks }
        set {
            flow.marks = newValue
            noteWaiting()
        }
    }

    public override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        guard let handler else { return }
        if handler === previous { self.handler = next } else { handler.replace(previous, by: next) }
    }

    public override var bufferedByteCount: Int { waiting }

    public override var host: Address { ownHost }

    public override var peer: Address { peerHost }

    public override var reactor: any Reactor { loop }

    private func noteWaiting() {
        guard waiting <= flow.marks.limit else { return abortConnection(because: .unsentLimit) }
        guard let producer = flow.producer else { return }
        switch flow.noteUnsent(waiting) {
        case .pause: attempt("producer.pauseProducing") { try producer.pauseProducing() }
        case .resume: attempt("producer.resumeProducing") { try producer.resumeProducing() }
        case nil: break
        }
    }

    /// Makes a call of the test's, who shall hear what it throws.
    private func call(_ callback: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            callbackThrew(error, in: callback)
            throw error
        }
    }

    private func attempt(_ callback: String, _ body: () throws -> Void) {
        try? call(callback, body)
    }
}
