import CLibevent

/// A TCP connection on the reactor: reads straight from the socket, writes through the stage.
///
/// The reactor's table keeps it alive while its descriptor is open, so that libevent's callbacks may reach it without counting references;
/// a connection that ended stays in the reactor's care until no callback can be running in it.
///
/// How it closes is in `SocketTransport+Closing.swift`.
@safe
final class SocketTransport: Transport {
    /// What the connections of one port or one connector have in common.
    final class Settings {
        let options: TransportOptions

        init(_ options: TransportOptions) {
            self.options = options
        }
    }

    /// Writes of this size skip the stage: copying them would cost more than the system call that is saved.
    static let directWriteBytes = 32 << 10

    let loop: LibeventReactor
    let socket: Socket
    let settings: Settings
    let connector: Connector?
    private let peerAddress: Address
    private var hostAddress: Address?

    // Retained by hand from `serve` to `finish`, so that handing on input costs no counting of references.
    private var handlerReference: Unmanaged<Protocol>?
    var unsent: UnsentBytes?
    var closing: Closing?
    var isPaused = false
    private var readEvent: Event?

    init(loop: LibeventReactor, socket: Socket, peer: Address, settings: Settings, connector: Connector? = nil) {
        self.loop = loop
        self.socket = socket
        self.settings = settings
        self.connector = connector
        peerAddress = peer
        super.init()
        setState(.connected)
    }

    deinit {
        unsafe handlerReference?.release()
    }

    override var reactor: any Reactor { loop }

    /// The protocol, until it was told of the loss.
    var handler: Protocol? {
        get { unsafe handlerReference?.takeUnretainedValue() }
        set {
            let previous = unsafe handlerReference
            unsafe handlerReference = newValue.map { unsafe Unmanaged.passRetained($0) }
            unsafe previous?.release()
        }
    }

    override var peer: Address { peerAddress }

    override var host: Address {
        if let hostAddress { return hostAddress }
        guard state != .disconnected else { return .unknown }
        let address = socket.localAddress
        hostAddress = address
        return address
    }

    override var bufferedByteCount: Int { unsent?.count ?? 0 }

    /// Lends the transport behind a libevent callback's context.
    @inline(__always)
    static func withContext(_ context: UnsafeMutableRawPointer?, _ body: (SocketTransport) -> Void) {
        guard let context = unsafe context else { return }
        // The reactor's table holds the transport for as long as its events are in the loop.
        unsafe Unmanaged<SocketTransport>.fromOpaque(context)._withUnsafeGuaranteedRef { body($0) }
    }

    /// Begins to watch the socket for input.
    func startReading() throws(SystemError) {
        let event = unsafe try Event(
            base: loop.base, descriptor: socket.descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                unsafe SocketTransport.withContext(context) { $0.readable() }
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        readEvent = consume event
    }

    /// Takes the read event out of the loop for good.
    func endReading() {
        readEvent = nil
    }

    override func pauseProducing() {
        guard state == .connected, !isPaused else { return }
        isPaused = true
        readEvent?.remove()
    }

    override func resumeProducing() {
        guard state == .connected, isPaused else { return }
        isPaused = false
        do {
            try readEvent?.add()
        } catch {
            breakDown(error)
        }
    }

    @inline(__always)
    private func readable() {
        receive()
        loop.endCallback()
    }

    /// Reads once, and hands on what came.
    @inline(__always)
    func receive() {
        let buffer = unsafe loop.readBuffer
        let count = unsafe socket.receive(into: buffer)
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
    private func receivingFailed() {
        let error = SystemError(call: "recv")
        if !SystemError.isTransient(error.errno) { peerBroke(error) }
    }

    @inline(__always)
    private func deliver(_ data: Span<UInt8>) {
        guard currentState == .connected, let reference = unsafe handlerReference else { return }
        do {
            // The transport lets its protocol go only when it ends, and that is never while this call runs.
            try unsafe reference._withUnsafeGuaranteedRef { try $0.dataReceived(data) }
        } catch {
            handlerFailed(error, in: "dataReceived")
        }
    }

    /// Whether what is written may go straight to the socket, because nothing waits before it.
    @inline(__always)
    var takesDirectWrites: Bool { unsent == nil && acceptsWrites }

    @inline(__always)
    private var acceptsWrites: Bool { currentState == .connected && closing == nil }

    override func write(_ data: Span<UInt8>) {
        guard acceptsWrites, !data.isEmpty else { return }
        if unsent == nil {
            if data.count < Self.directWriteBytes {
                if loop.stage.append(data, for: self) { return }
            } else {
                loop.stage.flush(self)
            }
        }
        unsafe data.withUnsafeBytes { unsafe send($0) }
    }

    override func writeFrame(prefix: Span<UInt8>, body: Span<UInt8>, suffix: Span<UInt8>) {
        guard unsent == nil, acceptsWrites, prefix.count + body.count + suffix.count < Self.directWriteBytes,
            loop.stage.append(prefix, body, suffix, for: self)
        else {
            write(prefix)
            write(body)
            return write(suffix)
        }
    }

    override func write(_ shared: SharedBytes) {
        guard acceptsWrites, shared.count > 0 else { return }
        guard shared.count >= Self.directWriteBytes || unsent != nil else { return write(shared.bytes) }
        loop.stage.flush(self)
        var sent = 0
        if takesDirectWrites {
            sent = unsafe shared.bytes.withUnsafeBytes { unsafe offer($0) }
        }
        if sent < shared.count, acceptsWrites {
            queue { unsent throws(SystemError) in try unsent.append(shared, from: sent) }
        }
    }

    /// Sends bytes that were accepted before: now where nothing waits before them, and queues what is left. The connection may be closing.
    func send(_ bytes: UnsafeRawBufferPointer) {
        var sent = 0
        if unsent == nil {
            sent = unsafe offer(bytes)
        }
        if sent < bytes.count, closing?.sendsRest ?? true {
            queue { unsent throws(SystemError) in unsafe try unsent.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
        }
    }

    /// Offers bytes to the socket; how many it took.
    @inline(__always)
    private func offer(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = unsafe socket.send(bytes)
        if count < 0 { sendingFailed() }
        return max(count, 0)
    }

    @inline(never)
    private func sendingFailed() {
        let error = SystemError(call: "send")
        if !SystemError.isTransient(error.errno) { breakDown(error) }
    }

    /// Adds to what waits for room in the socket.
    private func queue(_ append: (UnsentBytes) throws(SystemError) -> Void) {
        do throws(SystemError) {
            let unsent = try unsentBytes()
            try append(unsent)
            if unsent.count > settings.options.unsentBytesMax { abort(because: .unsentLimit) }
        } catch {
            breakDown(error)
        }
    }

    private func unsentBytes() throws(SystemError) -> UnsentBytes {
        if let unsent { return unsent }
        let made = try UnsentBytes(of: self, base: loop.base, descriptor: socket.descriptor)
        unsent = made
        return made
    }

    /// Called by libevent when the last waiting byte has been taken.
    func unsentBytesLeft() {
        guard unsent?.count == 0 else { return }
        unsent = nil
        if closing != nil { continueClosing() }
        loop.endCallback()
    }

    /// Called by libevent when the socket refused for good what was waiting.
    func sendingFailed(_ what: CShort) {
        guard CInt(what) & BEV_EVENT_ERROR != 0 else { return }
        breakDown(SystemError(call: "send"))
    }

    override func loseConnection() {
        lose(because: .done)
    }

    override func loseConnection(because reason: ConnectionLost) {
        lose(because: reason)
    }

    override func abortConnection() {
        abort(because: .aborted)
    }
}
