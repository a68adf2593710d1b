import CLibevent

/// A stream connection on the reactor: reads straight from the socket, writes through the stage. Pipes, terminals and files go the same way,
/// with ``PipeEnds`` in the socket's place.
///
/// The reactor's table keeps it alive while its descriptor is open, so that libevent's callbacks may reach it without counting references;
/// a connection that ended stays in the reactor's care until no callback can be running in it.
///
/// How it closes is decided by its ``StreamState`` and done in `SocketTransport+Closing.swift`; producers are in
/// `SocketTransport+Producers.swift`.
@safe
final class SocketTransport: Transport {
    /// What the connections of one port, or all outgoing ones with the same options, have in common.
    @safe
    final class Settings {
        let options: TransportOptions
        let counters: ConnectionCounters
        private let ownsCounters: Bool
        /// Whether more connections may come.
        var isOpen = true

        /// Settings with counters of their own, for a port.
        init(_ options: TransportOptions) {
            self.options = options
            counters = ConnectionCounters()
            ownsCounters = true
        }

        /// Settings that count where others count too, and where the counters outlive them.
        init(_ options: TransportOptions, counters: ConnectionCounters) {
            self.options = options
            self.counters = counters
            ownsCounters = false
        }

        deinit {
            if ownsCounters { counters.free() }
        }
    }

    /// Writes of this size skip the stage: copying them would cost more than the system call that is saved.
    static let directWriteBytes = 32 << 10

    let loop: LibeventReactor
    /// The socket; of other descriptors the one under whose number the reactor keeps the connection.
    let socket: Socket
    /// What is read from and written to where that is no socket of the reactor's own. Asked for on each read and write, so nil, not a kind.
    let pipes: PipeEnds?
    let settings: Settings
    /// The settings' own, kept here so that counting needs no second look-up.
    let counters: ConnectionCounters
    let connector: Connector?
    private let peerAddress: Address

    // From `serve` to the loss.
    private var heldHandler = HeldReference<Protocol>(nil)
    /// Whether input is a socket's, and brings no descriptors that somebody takes.
    var receivesPlainly = false
    var stream: StreamState
    /// Whether anybody may write, and nobody needs to be told of it.
    var takesOutput = true
    /// Whether the loop comes back on the next turn.
    var willBeVisited = false
    var unsent: UnsentBytes?
    var flow: FlowControl?
    /// Ends the wait for a peer that takes nothing, or that does not close.
    var deadline: DelayedCall?
    private var readEvent: Event?
    /// Whether the socket is looked at for input. Where it is not, the reactor looks now and then for its end.
    private(set) var isWatched = false

    init(loop: LibeventReactor, socket: Socket, peer: Address, settings: Settings, connector: Connector? = nil) {
        self.loop = loop
        self.socket = socket
        pipes = nil
        stream = StreamState()
        self.settings = settings
        counters = settings.counters
        self.connector = connector
        peerAddress = peer
        super.init()
        setState(.connected)
    }

    /// A connection over other descriptors than a socket's, of which there may be one for a single direction.
    init(loop: LibeventReactor, pipes: PipeEnds, peer: Address, settings: Settings) {
        self.loop = loop
        socket = Socket(descriptor: pipes.key)
        self.pipes = pipes
        stream = StreamState(hasInput: pipes.input != nil, hasOutput: pipes.output != nil)
        takesOutput = pipes.output != nil
        self.settings = settings
        counters = settings.counters
        connector = nil
        peerAddress = peer
        super.init()
        setState(.connected)
    }

    deinit {
        heldHandler.release()
    }

    override var reactor: any Reactor { loop }

    /// The protocol, until it was told of the loss.
    var handler: Protocol? {
        get { heldHandler.object }
        set {
            let previous = heldHandler
            heldHandler = HeldReference(newValue)
            previous.release()
        }
    }

    override var peer: Address { peerAddress }

    override var host: Address {
        guard pipes == nil else { return peerAddress }
        return loop.keeps(self) ? socket.localAddress : .unknown
    }

    override var peerCredentials: PeerCredentials? { loop.keeps(self) ? socket.peerCredentials : nil }

    override var bufferedByteCount: Int { unsent?.count ?? 0 }

    /// Lends the transport behind a libevent callback's context.
    @inline(__always)
    static func withContext(_ context: UnsafeMutableRawPointer?, _ body: (SocketTransport) -> Void) {
        guard let context = unsafe context else { return }
        // The reactor's table holds the transport for as long as its events are in the loop.
        unsafe Unmanaged<SocketTransport>.fromOpaque(context)._withUnsafeGuaranteedRef { body($0) }
    }

    // Reading.

    override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        guard let handler else { return }
        if handler === previous {
            // A callback of the previous one may be running.
            loop.later { withExtendedLifetime(previous) {} }
            self.handler = next
        } else {
            handler.replace(previous, by: next)
        }
        noteReceiver()
    }

    /// Begins to watch the socket for input.
    func startReading() throws(SystemError) {
        if let pipes {
            try pipes.watchOutput(for: self)
            // The watch of the output is all that there is to watch.
            guard pipes.input != nil else { return isWatched = true }
        }
        if readEvent == nil {
            readEvent = unsafe try Event(
                base: loop.base, descriptor: socket.descriptor, interest: [.read, .persist],
                callback: { _, _, context in
                    unsafe SocketTransport.withContext(context) { $0.readable() }
                },
                context: Unmanaged.passUnretained(self).toOpaque())
        }
        try readEvent?.add()
        isWatched = true
    }

    /// Stops watching the socket for input, for a while or for good.
    func stopReading() {
        guard isWatched else { return }
        isWatched = false
        readEvent?.remove()
    }

    /// Frees the event; the descriptor may be closed then.
    func endReading() {
        isWatched = false
        readEvent = nil
    }

    override func pauseProducing() {
        apply(.pause)
    }

    override func resumeProducing() {
        apply(.resume)
    }

    @inline(__always)
    private func readable() {
        loop.beginCallback()
        if stream.takesInput {
            receive()
        } else {
            readableUnasked()
        }
        loop.endCallback(of: self)
    }

    /// Reads once, and hands on what came.
    @inline(__always)
    func receive() {
        let buffer = unsafe loop.readBuffer
        let count = unsafe receivesPlainly ? socket.receive(into: buffer) : receiveOtherwise(into: buffer)
        if count > 0 {
            // The buffer lives as long as the reactor, and nobody else writes to it before this call returns.
            unsafe deliver(
                Span(_unsafeElements: UnsafeBufferPointer(start: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count: count)))
        } else if count == 0 {
            peerClosed()
        } else {
            receivingFailed()
        }
    }

    @inline(never)
    private func receiveOtherwise(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if let pipes { return unsafe pipes.read(into: buffer) }
        return unsafe receiveDescriptors(into: buffer)
    }

    @inline(never)
    private func receivingFailed() {
        let error = SystemError(call: pipes == nil ? "recv" : "read")
        if !SystemError.isTransient(error.errno) { receivingBroke(error) }
    }

    @inline(__always)
    private func deliver(_ data: Span<UInt8>) {
        guard !heldHandler.isEmpty else { return }
        counters.count { $0.bytesReceived += data.count }
        do {
            try heldHandler.call { try $0.dataReceived(data) }
        } catch {
            callbackThrew(error, in: "dataReceived")
        }
    }

    // Writing.

    /// Whether what is written may go straight to the socket, because nothing waits before it.
    @inline(__always)
    var takesDirectWrites: Bool { unsent == nil && stream.sends }

    override func write(_ data: Span<UInt8>) {
        guard takesOutput || takesProducersOutput(), !data.isEmpty else { return }
        if unsent == nil {
            if data.count < Self.directWriteBytes {
                if loop.stage.append(data, for: self) { return }
            } else {
                loop.stage.flush(self)
            }
        }
        unsafe data.withUnsafeBytes { unsafe send($0) }
    }

    override func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        guard unsent == nil, takesOutput, body.count < Self.directWriteBytes,
            loop.stage.isReady(for: self, prefix.count &+ body.count &+ suffix.count)
        else { return writeFrameSlowly(prefix, body, suffix) }
        loop.stage.append(prefix, body, suffix)
    }

    @inline(never)
    private func writeFrameSlowly(_ prefix: FrameEdge, _ body: Span<UInt8>, _ suffix: FrameEdge) {
        if unsent == nil, takesOutput, body.count < Self.directWriteBytes,
            loop.stage.hasRoom(prefix.count + body.count + suffix.count, for: self)
        {
            return loop.stage.append(prefix, body, suffix)
        }
        write(prefix.bytes)
        write(body)
        write(suffix.bytes)
    }

    override func write(_ data: Span<UInt8>, passing descriptors: [CInt]) throws {
        try send(data, passing: descriptors)
    }

    override func write(_ shared: SharedBytes) {
        guard takesOutput || takesProducersOutput(), shared.count > 0 else { return }
        guard shared.count >= Self.directWriteBytes || unsent != nil else { return write(shared.bytes) }
        loop.stage.flush(self)
        var sent = 0
        if takesDirectWrites {
            sent = unsafe shared.bytes.withUnsafeBytes { unsafe offer($0) }
        }
        if sent < shared.count {
            queue { unsent throws(SystemError) in try unsent.append(shared, from: sent) }
        }
    }

    /// Sends bytes that were accepted before: now where nothing waits before them, and queues what is left. The connection may be closing.
    func send(_ bytes: UnsafeRawBufferPointer) {
        var sent = 0
        if takesDirectWrites {
            sent = unsafe offer(bytes)
        }
        if sent < bytes.count {
            queue { unsent throws(SystemError) in unsafe try unsent.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
        }
    }

    /// Offers bytes to the socket; how many it took.
    @inline(__always)
    private func offer(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = unsafe pipes == nil ? socket.send(bytes) : writeToPipe(bytes)
        guard count >= 0 else {
            sendingFailed()
            return 0
        }
        counters.count { $0.bytesSent += count }
        return count
    }

    @inline(never)
    private func sendingFailed() {
        let error = SystemError(call: pipes == nil ? "send" : "write")
        if !SystemError.isTransient(error.errno) { apply(.sendingBroke(.lost(error))) }
    }

    /// Adds to what waits for room in the socket.
    func queue(_ append: (UnsentBytes) throws(SystemError) -> Void) {
        // Sending may have failed just now.
        guard stream.sends else { return }
        do throws(SystemError) {
            let unsent = try unsentBytes()
            try append(unsent)
            if unsent.count == 0 { self.unsent = nil }
            if unsent.count > waterMarks.limit {
                apply(.abort(.unsentLimit))
            } else {
                noteUnsent()
            }
        } catch {
            apply(.sendingBroke(.lost(error)))
        }
    }

    private func unsentBytes() throws(SystemError) -> UnsentBytes {
        if let unsent { return unsent }
        let made = try UnsentBytes(of: self, base: loop.base, descriptor: pipes?.output ?? socket.descriptor)
        unsent = made
        return made
    }

    /// Called by libevent when the socket took some of the waiting bytes.
    func unsentBytesMoved() {
        guard let unsent else { return }
        loop.beginCallback()
        do throws(SystemError) {
            try unsent.moveOn()
        } catch {
            apply(.sendingBroke(.lost(error)))
        }
        noteProgress()
        if self.unsent?.count == 0 { self.unsent = nil }
        noteUnsent()
        if self.unsent == nil { outputLeft() }
        loop.endCallback(of: self)
    }

    /// Called by libevent when the socket refused for good what was waiting.
    func sendingFailed(_ what: CShort) {
        guard CInt(what) & BEV_EVENT_ERROR != 0 else { return }
        apply(.sendingBroke(.lost(SystemError(call: pipes == nil ? "send" : "write"))))
    }

    // Producers.

    override var waterMarks: WaterMarks {
        get { flow?.marks ?? settings.options.waterMarks }
        set { setMarks(newValue) }
    }

    override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        try register(producer, streaming: streaming)
    }

    override func unregisterProducer() {
        letProducerGo()
    }

    // Closing.

    override func loseConnection() {
        apply(.lose(.done))
    }

    override func loseConnection(because reason: ConnectionLost) {
        apply(.lose(reason))
    }

    override func loseWriteConnection() {
        apply(.loseWrite)
    }

    override func abortConnection() {
        apply(.abort(.aborted))
    }

    override func abortConnection(because reason: ConnectionLost) {
        apply(.abort(reason))
    }

    override func callbackThrew(_ error: any Error, in callback: String) {
        log(error, in: callback, of: handler)
        apply(.threw(error))
    }
}
