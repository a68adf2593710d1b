/// What the receivers of lines and of strings have in common: pausing in the middle of a batch, input that arrives while a callback runs, and
/// bytes that nobody has read yet. Subclass ``LineReceiver`` or ``NetstringReceiver``, not this.
///
/// # Contract
/// - A frame's callback is never run from inside another's: bytes handed to `dataReceived` by a callback come after the input at hand.
/// - ``pauseProducing()`` holds back even the frames that have arrived; ``resumeProducing()`` delivers them, in order.
/// - Once the connection is closing, or a callback threw, or the peer broke the rules, nothing more is delivered, ever.
/// - It works without a transport too: `dataReceived` may be called by hand.
/// - It is a ``Producer``: registered with a transport it is paused with its frames, not only with its input.
open class FrameReceiver: Protocol, Producer {
    /// Bytes that wait because of a pause, or because they arrived while a callback ran.
    private final var queue: [UInt8] = []
    /// The input being parsed, for the methods that callbacks call.
    private final var lent = LentBytes()
    /// How far the input at hand has been read.
    final var position = 0
    private final var isParsing = false
    private final var isPaused = false
    private final var isOver = false

    /// Parses the input at hand from `position` on, while ``mayDeliver`` says so. Subclasses of this module bring the framing.
    func parse(_ input: Span<UInt8>) throws {}

    /// Takes out what the framing has collected of an unfinished frame.
    func takeCollected() -> [UInt8] { [] }

    /// What the framing has collected of an unfinished frame.
    var collectedBytes: [UInt8] { [] }

    /// Whether the next frame may be delivered now.
    @inline(__always)
    final var mayDeliver: Bool { !isPaused && !isOver && isOpen }

    @inline(__always)
    private final var isOpen: Bool { currentTransport == nil || currentTransport?.currentState == .connected }

    /// Parses what arrived. A subclass that overrides this calls `super`, or takes the framing over.
    open override func dataReceived(_ data: Span<UInt8>) throws {
        guard !isOver else { return }
        guard !isParsing, !isPaused, queue.isEmpty else {
            queue.append(data)
            return try parseQueue()
        }
        try parseOne(data)
        if !queue.isEmpty { try parseQueue() }
    }

    /// Parses one input, and keeps what is left of it for later, in front of what came meanwhile.
    @inline(__always)
    private final func parseOne(_ input: Span<UInt8>) throws {
        isParsing = true
        lent.lend(input)
        position = 0
        do {
            try parse(input)
        } catch {
            finish()
            throw error
        }
        lent.end()
        isParsing = false
        if position < input.count { keepRest(of: input) }
    }

    private final func keepRest(of input: Span<UInt8>) {
        guard !isOver, isOpen else { return finish() }
        var rest: [UInt8] = []
        rest.append(input.extracting(position...))
        queue = rest + queue
    }

    private final func parseQueue() throws {
        while !isParsing, mayDeliver, !queue.isEmpty {
            let input = queue
            queue = []
            let span = input.span
            try parseOne(span)
        }
    }

    /// Delivers nothing more.
    final func finish() {
        isOver = true
        isParsing = false
        lent.end()
        queue = []
    }

    /// The bytes that have arrived and were not delivered, a partial frame included: for another protocol to go on with, or to look at in
    /// `connectionLost`.
    public final var unreadBytes: [UInt8] {
        collectedBytes + lent.bytes(from: position) + queue
    }

    /// The bytes of a frame whose end is still to come. Those that a pause holds back are not among them: nobody waits for the peer then.
    open override var unfinishedByteCount: Int { collectedBytes.count }

    /// Takes those bytes away: they will not be delivered. Twisted: `clearLineBuffer`.
    public final func takeUnreadBytes() -> [UInt8] {
        let unread = takeCollected() + lent.bytes(from: position) + queue
        position = lent.count
        queue = []
        return unread
    }

    /// Puts bytes in front of those that are not read yet.
    final func putBack(_ bytes: Span<UInt8>) {
        if let start = lent.position(ofSuffix: bytes) {
            // What was handed out last is handed back: only the position moves.
            position = start
            return
        }
        var front: [UInt8] = []
        front.append(bytes)
        queue = front + lent.bytes(from: position) + queue
        position = lent.count
    }

    /// Delivers what waits, unless a callback is running and will go on with it.
    final func continueParsing() throws {
        try parseQueue()
    }

    /// Holds back all frames, and stops reading, until ``resumeProducing()``. Twisted: `pauseProducing`.
    public final func pauseProducing() {
        isPaused = true
        currentTransport?.pauseProducing()
    }

    /// Reads again, and delivers what was held back; from inside a callback, after it. Twisted: `resumeProducing`.
    ///
    /// - Throws: what the callbacks of the delivered frames throw.
    public final func resumeProducing() throws {
        isPaused = false
        currentTransport?.resumeProducing()
        try parseQueue()
    }

    /// Delivers nothing more, and closes the connection. Twisted: `stopProducing`.
    public final func stopProducing() {
        isOver = true
        queue = []
        currentTransport?.loseConnection()
    }

    /// Whether frames may still be delivered, which a receiver that is a producer would pass on.
    public final var hasMore: Bool { !isOver && isOpen }

    /// Delivers nothing more, and closes the connection for a reason that says how the peer broke the rules.
    final func reject(_ error: FramingError) {
        isOver = true
        queue = []
        currentTransport?.loseConnection(because: .badInput(error))
    }
}
