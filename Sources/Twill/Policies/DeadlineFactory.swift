/// Closes connections whose peers don't begin to speak in time, or begin a message and don't end it in time.
///
/// ```swift
/// let patient = Factory { Shout() }
/// try reactor.listenTCP(port: 8007, factory: DeadlineFactory(wrapping: patient, firstByte: .seconds(10), message: .seconds(30)))
/// ```
///
/// These deadlines are absolute: a peer that sends one byte at a time, to hold the connection for ever, gains nothing by it. The
/// connection is closed as by `loseConnection`, with ``DeadlineError/firstByte(_:)`` or ``DeadlineError/message(_:)`` in the reason.
///
/// # Contract
/// - A message is what ``Protocol/unfinishedByteCount`` of the protocol inside says. A ``LineReceiver`` and a ``NetstringReceiver`` say it; a
///   protocol with a framing of its own overrides it, or has no deadline for messages.
/// - A message's time begins with its first byte. Where one read ends a message and begins another, it begins with that read.
/// - Time in which the protocol inside has paused reading does not count: the peer can do nothing about it. Policies that pause reading
///   go inside of this one.
/// - Connections on which no message is unfinished may be silent; ``TimeoutFactory`` is for those.
///
/// Twisted has no such thing.
public final class DeadlineFactory: WrappingFactory {
    /// How long after connecting the first byte may come; nil for no limit.
    public let firstByte: Duration?
    /// How long after its first byte a message may be unfinished; nil for no limit.
    public let message: Duration?

    /// Puts deadlines on each connection of a factory.
    public init(wrapping wrapped: Factory, firstByte: Duration? = nil, message: Duration? = nil) {
        self.firstByte = firstByte
        self.message = message
        super.init(wrapping: wrapped)
    }

    public override func wrap(_ handler: Protocol) -> ProtocolWrapper {
        DeadlineProtocol(wrapping: handler, firstByte: firstByte, message: message)
    }
}

private final class DeadlineProtocol: ProtocolWrapper {
    private let firstByte: Duration?
    private let message: Duration?
    private var hasStarted = false
    /// Whether the peer owes something: the first byte, or the rest of a message.
    private var isWaiting = false
    /// What ends the wait. It may be left over from an earlier one, because moving it is free and taking it out is not.
    private var deadline: DelayedCall?
    private var pausedAt: ReactorClock.Instant?
    /// What was left of a wait whose deadline passed while reading was paused.
    private var timeLeft: Duration?

    init(wrapping wrapped: Protocol, firstByte: Duration?, message: Duration?) {
        self.firstByte = firstByte
        self.message = message
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        beginWaiting()
        try wrapped.makeConnection(PauseWatchingTransport(over: transport, for: self))
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        if !hasStarted {
            hasStarted = true
            isWaiting = false
        }
        let before = wrapped.unfinishedByteCount
        try wrapped.dataReceived(data)
        let after = wrapped.unfinishedByteCount
        if after == 0 {
            isWaiting = false
        } else if before == 0 || after != before + data.count {
            beginWaiting()
        }
        // Else all of it went into a message that had begun before, and whose deadline stands.
    }

    private func beginWaiting() {
        guard let period = hasStarted ? message : firstByte else { return }
        isWaiting = true
        wait(period)
    }

    private func wait(_ period: Duration) {
        timeLeft = nil
        if let deadline, deadline.isActive {
            try? deadline.reset(period)
        } else {
            deadline = transport.callLater(period) { [weak self] in self?.deadlinePassed() }
        }
    }

    private func deadlinePassed() {
        guard isWaiting else { return }
        if let pausedAt {
            timeLeft = pausedAt.duration(to: transport.reactor.now)
        } else if !hasStarted, let firstByte {
            transport.loseConnection(because: .timedOut(DeadlineError.firstByte(firstByte)))
        } else if let message, wrapped.unfinishedByteCount > 0 {
            transport.loseConnection(because: .timedOut(DeadlineError.message(message)))
        }
    }

    fileprivate func readingPaused() {
        if pausedAt == nil { pausedAt = transport.reactor.now }
    }

    fileprivate func readingResumed() {
        guard let pausedAt else { return }
        self.pausedAt = nil
        if let timeLeft {
            wait(timeLeft)
        } else if isWaiting, let deadline, deadline.isActive {
            try? deadline.delay(by: pausedAt.duration(to: transport.reactor.now))
        } else {
            // What the protocol held back may end with an unfinished message.
            beginWaiting()
        }
    }
}

/// Tells the policy when the protocol inside wants no input, and when it wants it again.
private final class PauseWatchingTransport: TransportWrapper {
    private weak var policy: DeadlineProtocol?

    init(over inner: Transport, for policy: DeadlineProtocol) {
        self.policy = policy
        super.init(over: inner)
    }

    override func pauseProducing() {
        super.pauseProducing()
        policy?.readingPaused()
    }

    override func resumeProducing() {
        policy?.readingResumed()
        super.resumeProducing()
    }
}
