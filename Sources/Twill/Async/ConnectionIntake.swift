/// The protocol behind a ``Connection``: it keeps what arrives until one of the connection's tasks asks for it.
final class ConnectionIntake: Protocol, HalfCloseableProtocol {
    /// How many bytes may wait for a task before reading stops, and how few when it goes on.
    private static let high = 64 << 10
    private static let low = 16 << 10
    /// Memory of this size is kept when nothing is in it; a connection that is idle owns little.
    private static let keptCapacity = 512

    let handle: ReactorHandle
    /// The task that has made or got the connection, and most likely waits for it.
    var scope: TaskScope?
    /// A task that waits for input.
    let reader = WaitingPlace()
    /// Called once, when the connection is made.
    private var whenMade: ((ConnectionIntake) -> Void)?
    /// Called once, when it has ended.
    var whenLost: (() -> Void)?

    /// The bytes that have arrived, and how many of them were read.
    private let unread = PlainBox<(bytes: [UInt8], position: Int)>(([], 0))
    private var isHeld = false
    /// Whether the peer will send no more.
    private(set) var hasEnded = false
    /// How the connection ended; nil while it lives.
    private(set) var reason: ConnectionLost?
    /// Tasks that wait for the end.
    private var mourners: [WaitingPlace] = []
    private let room = RoomProducer()

    init(_ handle: ReactorHandle, whenMade: @escaping (ConnectionIntake) -> Void) {
        self.handle = handle
        self.whenMade = whenMade
        super.init()
    }

    override var logPrefix: String { "Connection" }

    /// Its task does something unless it waits for input; half a message that it has read is as good as none, because it can't be seen.
    override var isBusy: Bool { !reader.isTaken || !isEmpty }

    override func connectionMade() {
        whenMade?(self)
        whenMade = nil
    }

    override func dataReceived(_ data: Span<UInt8>) {
        if unread.value.bytes.capacity == 0 {
            // Just as large as it must be: it may be handed out as it is.
            unread.value.bytes = Array(copying: data)
        } else {
            forgetReadHalf()
            unread.value.bytes.append(copying: data)
        }
        if !isHeld, unreadCount > Self.high {
            isHeld = true
            transport.pauseProducing()
        }
        reader.wake()
    }

    func readConnectionLost() {
        hasEnded = true
        reader.wake()
    }

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) {
        self.reason = reason
        hasEnded = true
        reader.wake()
        room.open()
        for mourner in mourners { mourner.wake() }
        mourners = []
        whenLost?()
        whenLost = nil
    }

    // What tasks ask for.

    @inline(__always)
    private var unreadCount: Int { unread.value.bytes.count - unread.value.position }

    @inline(__always)
    var isEmpty: Bool { unreadCount == 0 }

    /// How many bytes there is memory for.
    var capacity: Int { unread.value.bytes.capacity }

    /// Gives up the bytes that were read where they are half of all: a task that never catches up must not keep everything that ever came.
    private func forgetReadHalf() {
        let position = unread.value.position
        guard position > 0, position >= unreadCount else { return }
        unread.value.bytes.removeFirst(position)
        unread.value.position = 0
    }

    /// Lends the unread bytes, and forgets those that were read.
    @inline(__always)
    func read<Result>(_ body: (_ unread: Span<UInt8>, _ position: inout Int) throws -> Result) rethrows -> Result {
        // Out of its place meanwhile, so that lending it costs no reference count and more input finds no borrowed memory.
        var lent: [UInt8] = []
        swap(&lent, &unread.value.bytes)
        var end = unread.value.position
        defer {
            // What arrived meanwhile, if a call has resumed the input, goes behind.
            if !unread.value.bytes.isEmpty { lent += unread.value.bytes }
            let isRead = end == lent.count
            if isRead, lent.capacity > Self.keptCapacity { lent = [] }
            if isRead, !lent.isEmpty { lent.removeAll(keepingCapacity: true) }
            unread.value.position = isRead ? 0 : end
            swap(&lent, &unread.value.bytes)
            if isHeld { goOnIfPossible() }
        }
        let span = lent.span
        return try body(span, &end)
    }

    /// Takes all of the unread bytes; nil where there are none.
    func takeAll() -> [UInt8]? {
        guard !isEmpty else { return nil }
        var taken: [UInt8] = []
        swap(&taken, &unread.value.bytes)
        let position = unread.value.position
        unread.value.position = 0
        if isHeld { goOnIfPossible() }
        return position == 0 ? taken : Array(taken[position...])
    }

    /// Puts bytes in front of the unread ones.
    func putBack(_ front: [UInt8]) {
        guard !front.isEmpty else { return }
        unread.value = (front + unread.value.bytes[unread.value.position...], 0)
    }

    private func goOnIfPossible() {
        guard unreadCount <= Self.low else { return }
        isHeld = false
        transport.resumeProducing()
    }

    /// Waits for more input; false where none will come.
    ///
    /// - Throws: how the connection broke; `CancellationError`, which closes the connection; ``ConnectionError/alreadyReading``.
    @inline(__always)
    nonisolated(nonsending) func waitForInput() async throws -> Bool {
        if hasEnded {
            if let reason, !reason.isClean { throw reason }
            return false
        }
        guard !reader.isTaken else { throw ConnectionError.alreadyReading }
        do {
            try await reader.wait(on: handle, in: scope)
        } catch {
            throw closed(by: error)
        }
        return true
    }

    /// Waits until the peer has taken so much of the output that more may be written.
    nonisolated(nonsending) func waitForRoom() async throws {
        do {
            try await room.wait(on: transport, handle, in: scope)
        } catch {
            throw closed(by: error)
        }
        try checkOpen()
    }

    /// Waits for the end.
    nonisolated(nonsending) func waitForEnd() async throws -> ConnectionLost {
        while true {
            if let reason { return reason }
            let mourner = WaitingPlace()
            mourners.append(mourner)
            try await mourner.wait(on: handle, in: scope)
        }
    }

    /// Throws where nothing can be written any more.
    @inline(__always)
    func checkOpen() throws {
        if transport.currentState != .connected { throw reason ?? .done }
    }

    /// Closes the connection for a task that waited and was cancelled.
    private func closed(by error: any Error) -> any Error {
        if error is CancellationError { transport.loseConnection(because: .thrown(error)) }
        return error
    }
}

/// Tells tasks that write when the peer has taken enough of what was written before. It is registered only while one waits.
private final class RoomProducer: Producer {
    private var writers: [WaitingPlace] = []
    private var isPaused = false
    private weak var transport: Transport?

    /// Waits until there is room; not at all where there is.
    nonisolated(nonsending) func wait(on transport: Transport, _ handle: ReactorHandle, in scope: TaskScope?) async throws {
        if self.transport == nil {
            self.transport = transport
            do {
                try transport.registerProducer(self, streaming: true)
            } catch {
                self.transport = nil
                throw error
            }
        }
        guard isPaused else { return open() }
        let writer = WaitingPlace()
        writers.append(writer)
        try await writer.wait(on: handle, in: scope)
    }

    /// Lets everybody write.
    func open() {
        isPaused = false
        transport?.unregisterProducer()
        transport = nil
        let waiting = writers
        writers = []
        for writer in waiting { writer.wake() }
    }

    // A connection that closes does not wait for it: who has not written yet has come too late.
    var hasMore: Bool { false }
    func pauseProducing() { isPaused = true }
    func resumeProducing() { open() }
    func stopProducing() { open() }
}
