/// What the receivers of lines and of strings have in common: pausing in the middle of a batch, input that arrives while a callback runs, and
/// bytes that nobody has read yet.
///
/// Subclass one of its subclasses: ``LineReceiver``, ``NetstringReceiver``, ``Int32StringReceiver`` and its siblings, or ``FramedReceiver`` for a
/// framer of your own.
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
    /// How many bytes were read before the input at hand.
    private final var bytesRead = 0
    private final var isParsing = false
    /// Why nothing may be delivered; one value, because it is looked at for each frame.
    private final var hold = Hold.none

    private enum Hold: UInt8 {
        case none
        /// Until `resumeProducing`.
        case paused
        /// For ever.
        case over
    }

    // What a subclass of this module brings.

    /// Parses the input at hand from `position` on, while ``mayDeliver`` says so: what can be delivered straight from the input is, and
    /// ``parseSlowly(_:)`` does the rest.
    func parse(_ input: Span<UInt8>) throws {
        while mayDeliver, position < input.count {
            try parseSlowly(input)
        }
    }

    /// Asks the framer for the next frame; the offset is that of the input in the stream.
    func nextFrame(in input: Span<UInt8>, at position: inout Int, streamOffset: Int) -> FramerStep {
        position = input.count
        return .needsMore
    }

    /// Hands a frame to the user.
    func deliver(_ frame: Span<UInt8>) throws {}

    /// Tells of the beginning of a line that is skipped.
    func tellSkipped(_ rejection: Rejection, _ part: Span<UInt8>) throws {}

    /// Tells of input that breaks the rules; `position` still says where the frame began.
    func tellRejected(_ rejection: Rejection, _ input: Span<UInt8>) throws {
        position = input.count
        finish()
        try inputRejected(rejection)
    }

    /// Takes out the frame that the framer has collected.
    func takeCollected() -> [UInt8] { [] }

    /// What the framer has taken in of an unfinished frame.
    var unfinishedBytes: [UInt8] { [] }

    /// Takes it out.
    func takeUnfinishedBytes() -> [UInt8] { [] }

    /// Called once, with the first thing in the input that breaks the rules; closes the connection, with the rejection in the reason.
    ///
    /// An override may say something to the peer first, and call `super`. Nothing is delivered after it, whatever it does.
    open func inputRejected(_ rejection: Rejection) throws {
        currentTransport?.loseConnection(because: .badInput(rejection))
    }

    /// Sends a frame, or nothing where there is no transport.
    @inline(__always)
    final func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        heldTransport.call { $0.writeFrame(prefix: prefix, body: body, suffix: suffix) }
    }

    /// Hands a frame to the state of a ``StatefulStringProtocol``: what the callbacks do that are not overridden.
    final func stepState(_ frame: Span<UInt8>) throws {
        if let stateful = self as? any StatefulStringProtocol { try stateful.step(frame) }
    }

    /// Whether the next frame may be delivered now.
    @inline(__always)
    final var mayDeliver: Bool { hold == .none && isOpen }

    @inline(__always)
    private final var isOpen: Bool { heldTransport.call { $0.currentState == .connected } ?? true }

    /// Parses what arrived. A subclass that overrides this calls `super`, or takes the framing over.
    open override func dataReceived(_ data: Span<UInt8>) throws {
        guard hold != .over else { return }
        guard !isParsing, hold == .none, queue.isEmpty else {
            queue.append(copying: data)
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
        bytesRead += position
        if position < input.count { keepRest(of: input) }
    }

    /// Parses what needs the framer: a frame that is split between inputs, or a peer that breaks the rules.
    @inline(never)
    final func parseSlowly(_ input: Span<UInt8>) throws {
        var next = position
        let step = nextFrame(in: input, at: &next, streamOffset: bytesRead)
        position = next
        switch step {
        case .frame(let range): try deliver(input.extracting(range))
        case .collectedFrame: try deliver(takeCollected().span)
        case .needsMore: position = input.count
        case .skipped(let rejection, let part): try tellSkipped(rejection, input.extracting(part))
        case .rejected(let rejection): try tellRejected(rejection, input)
        }
    }

    private final func keepRest(of input: Span<UInt8>) {
        guard hold != .over, isOpen else { return finish() }
        var rest: [UInt8] = []
        rest.append(copying: input.extracting(position...))
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
        hold = .over
        isParsing = false
        lent.end()
        queue = []
    }

    /// The bytes that have arrived and were not delivered, a partial frame included: for another protocol to go on with, or to look at in
    /// `connectionLost`.
    public final var unreadBytes: [UInt8] {
        unfinishedBytes + lent.bytes(from: position) + queue
    }

    /// The bytes of a frame whose end is still to come. Those that a pause holds back are not among them: nobody waits for the peer then.
    open override var unfinishedByteCount: Int { unfinishedBytes.count }

    /// Whether a frame is unfinished, or a pause holds frames back.
    open override var isBusy: Bool { unfinishedByteCount > 0 || !queue.isEmpty }

    /// Takes those bytes away: they will not be delivered. Twisted: `clearLineBuffer`.
    public final func takeUnreadBytes() -> [UInt8] {
        let unread = takeUnfinishedBytes() + lent.bytes(from: position) + queue
        position = lent.count
        bytesRead += queue.count
        queue = []
        return unread
    }

    /// Puts bytes in front of those that are not read yet.
    final func putBack(_ bytes: Span<UInt8>) {
        if position == lent.count, let start = lent.position(ofSuffix: bytes) {
            // What was handed out last is handed back, for the first time: only the position moves.
            position = start
            return
        }
        var front: [UInt8] = []
        front.append(copying: bytes)
        // Nothing outside of a callback, where the position is that of an input long gone.
        let rest = lent.bytes(from: position)
        queue = front + rest + queue
        bytesRead -= front.count + rest.count
        position = lent.count
    }

    /// Delivers what waits, unless a callback is running and will go on with it.
    final func continueParsing() throws {
        try parseQueue()
    }

    /// Hands the connection to another protocol, which goes on with the bytes that are not read yet; see ``Protocol/handOver(to:unread:)``.
    public final func handOver(to next: Protocol) throws {
        guard mayHandOver else { return }
        let unread = takeUnreadBytes()
        finish()
        try handOver(to: next, unread: unread)
    }

    /// Holds back all frames, and stops reading, until ``resumeProducing()``. Twisted: `pauseProducing`.
    public final func pauseProducing() {
        if hold == .none { hold = .paused }
        currentTransport?.pauseProducing()
    }

    /// Reads again, and delivers what was held back; from inside a callback, after it. Twisted: `resumeProducing`.
    ///
    /// - Throws: what the callbacks of the delivered frames throw.
    public final func resumeProducing() throws {
        if hold == .paused { hold = .none }
        currentTransport?.resumeProducing()
        try parseQueue()
    }

    /// Delivers nothing more, and closes the connection. Twisted: `stopProducing`.
    public final func stopProducing() {
        hold = .over
        queue = []
        currentTransport?.loseConnection()
    }

    /// Whether frames may still be delivered, which a receiver that is a producer would pass on.
    public final var hasMore: Bool { hold != .over && isOpen }
}
