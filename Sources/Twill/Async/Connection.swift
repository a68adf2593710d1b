/// A connection for code that waits: what arrives is asked for with `await`, and so is room for what is written.
///
/// ```swift
/// try reactor.listen("tcp:8007") { connection in
///     for try await line in connection.lines {
///         try await connection.writeLine(line)
///     }
/// }
/// ```
///
/// # Contract
/// - It belongs to its reactor's thread, on which the handler runs, and is not `Sendable`: the compiler keeps it there. Nothing waits for another
///   thread: what a callback of the reactor has brought is handled before that callback is over.
/// - When the handler returns, what was written is sent and the connection closes. An error that it throws is the reason of the loss, and is logged
///   unless it is the connection's own, the peer's, or a cancellation.
/// - When the peer says that it will send no more, the sequences end, and writing goes on to work. Where the connection breaks they throw the
///   ``ConnectionLost``.
/// - Cancelling a task that waits for the connection closes it, and the wait throws `CancellationError`.
/// - Reading stops while 64 KiB wait that nobody has asked for; with the piece that passed that mark no more than 320 KiB do.
/// - One task reads at a time, by one kind of frames; a second one gets ``ConnectionError/alreadyReading``. Any number may write.
///
/// Twisted: `Protocol` and its transport, for coroutines.
public final class Connection {
    let intake: ConnectionIntake
    /// The connection itself, for what needs no waiting: its addresses, its options, and writes whose room nobody waits for.
    public var transport: Transport { heldTransport.value }
    /// It changes at the most once, when a layer is put under the connection; as a field that changes it would cost a count and a check with each
    /// message.
    private let heldTransport: PlainBox<Transport>
    /// Whose frames are read now.
    private var framing: (any FramingInUse)?

    init(_ intake: ConnectionIntake) {
        self.intake = intake
        heldTransport = PlainBox(intake.transport)
    }

    deinit {
        // Nobody can read or write any more. Where this is not the reactor's thread, the last reference was sent away from it.
        guard intake.reason == nil else { return }
        let handle = intake.handle
        if handle.jobs.isOnThread { return intake.transport.loseConnection() }
        let bound = ReactorBound(intake)
        handle.callFromThread { _ in bound.value.transport.loseConnection() }
    }

    /// The other side's address.
    public var peer: Address { transport.peer }

    /// This side's address.
    public var host: Address { transport.host }

    /// The reactor that serves it.
    public var reactor: any Reactor { transport.reactor }

    /// Whether the connection has ended, and how; nil while it lives.
    public var reason: ConnectionLost? { intake.reason }

    /// The protocol behind it.
    package var handler: Protocol { intake }

    /// Takes away the bytes that have arrived and nobody has read, a part of a frame included.
    package func takeUnreadBytes() -> [UInt8] {
        use(nil)
        return intake.takeAll() ?? []
    }

    /// Follows its protocol onto another transport.
    package func followTransport() {
        heldTransport.value = intake.transport
    }

    /// Waits for something that a layer will tell by the call that it gets; on the reactor's thread.
    package nonisolated(nonsending) func waitForLayer(_ begin: (_ wake: @escaping () -> Void) throws -> Void) async throws {
        let place = WaitingPlace()
        var isOver = false
        try begin {
            isOver = true
            place.wake()
        }
        guard !isOver else { return }
        do {
            try await place.wait(on: intake.handle, in: intake.scope)
        } catch {
            transport.loseConnection(because: .failed(error))
            throw error
        }
    }

    // Reading.

    /// The bytes as they arrive, in pieces of any size that are never empty.
    public var chunks: ConnectionChunks { ConnectionChunks(self) }

    /// The next bytes, however many have arrived; nil at the end of the input.
    @inlinable
    public nonisolated(nonsending) func readChunk() async throws -> [UInt8]? {
        while true {
            if let chunk = takeChunk() { return chunk }
            guard try await waitForInput() else { return nil }
        }
    }

    /// All bytes that have arrived; nil where there are none.
    @usableFromInline
    func takeChunk() -> [UInt8]? {
        use(nil)
        return intake.takeAll()
    }

    /// Waits for input; false where none will come any more.
    @usableFromInline
    nonisolated(nonsending) func waitForInput() async throws -> Bool { try await intake.waitForInput() }

    /// The bytes that have arrived and nobody has read, a part of a frame included.
    public var unreadBytes: [UInt8] {
        (framing?.unfinishedBytes ?? []) + intake.read { unread, _ in Array(copying: unread) }
    }

    /// Makes a framing the one that reads. Bytes that another one has taken in of an unfinished frame are read again.
    @inline(__always)
    func use(_ next: (any FramingInUse)?) {
        if framing !== next { change(to: next) }
    }

    private func change(to next: (any FramingInUse)?) {
        if let framing { intake.putBack(framing.takeUnfinishedBytes()) }
        framing = next
    }

    // Writing.

    /// Sends bytes, after all those written before; returns at once unless the peer is slow, else when it has taken enough.
    ///
    /// - Throws: ``ConnectionLost`` where the connection has closed or is closing; `CancellationError` where the task was cancelled while it waited.
    @inlinable
    public nonisolated(nonsending) func write(_ bytes: [UInt8]) async throws {
        if try hand(over: bytes) { try await waitForRoom() }
    }

    /// Sends text as UTF-8.
    @inlinable
    public nonisolated(nonsending) func write(_ text: String) async throws {
        if try hand(over: text) { try await waitForRoom() }
    }

    /// Sends bytes that other connections may be sending too, without a copy for each.
    @inlinable
    public nonisolated(nonsending) func write(_ shared: SharedBytes) async throws {
        if try hand(over: shared) { try await waitForRoom() }
    }

    /// Sends a line and CR LF.
    @inlinable
    public nonisolated(nonsending) func writeLine(_ line: String) async throws {
        if try hand(overLine: line) { try await waitForRoom() }
    }

    /// Sends a line and CR LF.
    @inlinable
    public nonisolated(nonsending) func writeLine(_ line: [UInt8]) async throws {
        if try hand(overLine: line) { try await waitForRoom() }
    }

    /// Sends a netstring.
    @inlinable
    public nonisolated(nonsending) func writeNetstring(_ bytes: [UInt8]) async throws {
        if try hand(overNetstring: bytes) { try await waitForRoom() }
    }

    /// Sends a frame as a framer writes it.
    public nonisolated(nonsending) func writeFrame(_ frame: [UInt8], as framer: some Framer) async throws {
        var output: [UInt8] = []
        framer.encode(frame, into: &output)
        try await write(output)
    }

    // What can be done without waiting is done by these: whether more waits to be sent then than should.

    @usableFromInline
    func hand(over bytes: [UInt8]) throws -> Bool { try hand { $0.write(bytes) } }

    @usableFromInline
    func hand(over text: String) throws -> Bool { try hand { $0.write(text) } }

    @usableFromInline
    func hand(over shared: SharedBytes) throws -> Bool { try hand { $0.write(shared) } }

    @usableFromInline
    func hand(overLine line: String) throws -> Bool { try hand { $0.writeLine(line.utf8Span.span) } }

    @usableFromInline
    func hand(overLine line: [UInt8]) throws -> Bool { try hand { $0.writeLine(line.span) } }

    @usableFromInline
    func hand(overNetstring bytes: [UInt8]) throws -> Bool { try hand { $0.writeNetstring(bytes.span) } }

    @inline(__always)
    private func hand(_ write: (Transport) -> Void) throws -> Bool {
        try intake.checkOpen()
        write(transport)
        return isFull
    }

    /// Whether more waits to be sent than should.
    @inline(__always)
    var isFull: Bool {
        let waiting = transport.bufferedByteCount
        return waiting > 0 && waiting > transport.waterMarks.high
    }

    @usableFromInline
    nonisolated(nonsending) func waitForRoom() async throws { try await intake.waitForRoom() }

    // Closing.

    /// Says that nothing more will be written, once everything written so far is sent; input goes on.
    public func closeWrite() { transport.loseWriteConnection() }

    /// Closes the connection once everything written so far is sent.
    public func close() { transport.loseConnection() }

    /// Closes the connection at once; unsent bytes are dropped, and the peer sees a reset.
    public func abort() { transport.abortConnection() }

    /// Waits for the end of the connection, and tells how it ended.
    ///
    /// - Throws: `CancellationError`.
    public nonisolated(nonsending) func waitForEnd() async throws -> ConnectionLost {
        try await intake.waitForEnd()
    }
}

/// A use of a ``Connection`` that its rules forbid.
public enum ConnectionError: Error, Equatable, CustomStringConvertible, Sendable {
    /// Another task waits for the same connection's input.
    case alreadyReading

    public var description: String {
        switch self {
        case .alreadyReading: "another task reads from this connection already: let one task read, and hand on what it gets"
        }
    }
}
