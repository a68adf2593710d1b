import Twill

/// A stream connection over a simulated socket. What it promises is what ``/Twill/Transport`` says, and it decides as a real one does, by its
/// `StreamState`.
///
/// How it closes is in `SimulatedTransport+Closing.swift`; producers are in `SimulatedTransport+Producers.swift`. The reactor's table holds it
/// until its socket has closed.
final class SimulatedTransport: Transport {
    /// Writes of this size are offered to the socket at once; smaller ones when the callback ends.
    private static let directWriteBytes = 32 << 10
    /// How many bytes one call delivers at the most.
    private static let readBytes = 256 << 10

    let loop: SimulatedReactor
    let socket: SimulatedSocket
    let options: TransportOptions
    let counters: SimulatedCounters
    let connector: Connector?
    /// Where the reactor's table has it.
    var slot = -1

    var handler: Protocol?
    var stream = StreamState()
    /// Whether anybody may write, and nobody needs to be told of it.
    var takesOutput = true
    var output = ByteQueue()
    private var isStaged = false
    var willBeVisited = false
    var flow: FlowControl?
    /// Ends the wait for a peer that takes nothing, or that does not close.
    var deadline: DelayedCall?
    /// Whether the peer sees a reset when the socket closes.
    var resets = false
    private var hasToldEnd = false
    var watch = ContractWatch()

    init(
        loop: SimulatedReactor, socket: SimulatedSocket, options: TransportOptions, counters: SimulatedCounters, connector: Connector? = nil
    ) {
        self.loop = loop
        self.socket = socket
        self.options = options
        self.counters = counters
        self.connector = connector
        super.init()
        socket.sendBufferBytes = options.sendBufferBytes
        setState(.connected)
    }

    override var reactor: any Reactor { loop }

    override var host: Address { loop.keeps(self) ? socket.local : .unknown }

    override var peer: Address { socket.remote }

    override var bufferedByteCount: Int { max(0, output.count - socket.room) }

    override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        guard let handler else { return }
        if handler === previous { self.handler = next } else { handler.replace(previous, by: next) }
    }

    /// Tells the protocol that it is connected.
    func begin(_ handler: Protocol) {
        watch.begin(.connectionMade, on: socket)
        defer { watch.end() }
        do {
            try handler.makeConnection(self)
        } catch {
            callbackThrew(error, in: "connectionMade")
        }
    }

    // Reading.

    /// Whether what arrives may be delivered straight from the network.
    var readsAtOnce: Bool { stream.takesInput && loop.isRunning }

    /// Delivers what has just arrived.
    func receive(_ bytes: [UInt8]) {
        loop.perform { deliver(bytes) }
    }

    /// Something has arrived that waits in the socket: bytes, or their end.
    func inputArrived() {
        guard loop.isRunning else { return loop.visitLater(self) }
        loop.perform { read() }
    }

    /// Reads once, and hands on what came.
    func read() {
        guard stream.phase != .lost else { return drain() }
        if stream.takesInput, socket.hasInput {
            deliver(socket.take(Self.readBytes))
            // The end has a turn of its own, as has what is more than one call delivers.
            loop.visitLater(self)
        } else if !socket.hasInput {
            lookAtEnd()
        }
    }

    private func deliver(_ bytes: [UInt8]) {
        guard let handler else { return }
        counters.count { $0.bytesReceived += bytes.count }
        watch.begin(.dataReceived, on: socket)
        defer { watch.end() }
        do {
            try handler.dataReceived(bytes.span)
        } catch {
            callbackThrew(error, in: "dataReceived")
        }
    }

    private func lookAtEnd() {
        switch socket.end {
        case .none: break
        case .finished where hasToldEnd: break
        case .finished:
            hasToldEnd = true
            apply(.peerClosed(halfCloseable: handler?.halfCloseable != nil))
        case .broken(let error): apply(.receivingBroke(.lost(error)))
        }
    }

    override func pauseProducing() { apply(.pause) }

    override func resumeProducing() { apply(.resume) }

    // Writing.

    override func write(_ data: Span<UInt8>) {
        guard !data.isEmpty else { return }
        guard takesOutput || takesProducersOutput() else { return noteLateWrite() }
        output.append(data)
        if output.count >= Self.directWriteBytes {
            flush()
        } else if !isStaged {
            isStaged = true
            loop.flushLater(self)
        }
    }

    private func noteLateWrite() {
        loop.lateWriteCount += 1
        socket.note(.lateWrite)
    }

    /// Sends what was written, as far as the socket takes it.
    func flush() {
        isStaged = false
        guard stream.sends, !output.isEmpty else { return }
        let room = socket.room
        if room > 0 {
            let bytes = output.take(room)
            counters.count { $0.bytesSent += bytes.count }
            socket.send(bytes)
        }
        guard !output.isEmpty || flow != nil else { return }
        if !output.isEmpty { socket.askForRoom() }
        if output.count > waterMarks.limit {
            apply(.abort(.unsentLimit))
        } else {
            noteUnsent()
        }
    }

    /// The socket takes bytes again.
    func roomCame() {
        guard loop.isRunning else { return loop.visitLater(self) }
        loop.perform { sendMore() }
    }

    private func sendMore() {
        guard !output.isEmpty else { return }
        flush()
        noteProgress()
        if output.isEmpty { outputLeft() }
    }

    // Producers.

    override var waterMarks: WaterMarks {
        get { flow?.marks ?? options.waterMarks }
        set { setMarks(newValue) }
    }

    override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        try register(producer, streaming: streaming)
    }

    override func unregisterProducer() { letProducerGo() }

    // Closing.

    override func loseConnection() { apply(.lose(.done)) }

    override func loseConnection(because reason: ConnectionLost) { apply(.lose(reason)) }

    override func loseWriteConnection() { apply(.loseWrite) }

    override func abortConnection() { apply(.abort(.aborted)) }

    override func abortConnection(because reason: ConnectionLost) { apply(.abort(reason)) }

    override func callbackThrew(_ error: any Error, in callback: String) {
        log(error, in: callback, of: handler)
        apply(.threw(error))
    }
}
