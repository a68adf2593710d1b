/// A call that a reactor will make later; it can be cancelled, moved, or asked when it is due.
///
/// ```swift
/// let goodbye = reactor.callLater(.seconds(30)) { transport.loseConnection() }
/// try goodbye.reset(.seconds(30))   // on every sign of life
/// ```
///
/// Moving a call to a later time is free: only when the old time comes is it put in its new place. An idle timeout may be reset on every
/// message.
///
/// Twisted: `IDelayedCall`.
public final class DelayedCall {
    /// A call that can no longer be cancelled or moved.
    public enum Failure: Error, CustomStringConvertible, Sendable {
        /// It has run, or is running. Twisted: `AlreadyCalled`.
        case alreadyCalled
        /// It was cancelled. Twisted: `AlreadyCancelled`.
        case alreadyCancelled

        public var description: String {
            switch self {
            case .alreadyCalled: "the delayed call has been made already: check isActive first"
            case .alreadyCancelled: "the delayed call was cancelled already: check isActive first"
            }
        }
    }

    private enum State {
        case waiting, called, cancelled
    }

    #if DEBUG
    private let liveCount = LiveCount(.delayedCalls)
    #endif
    private var state = State.waiting
    private var body: (() throws -> Void)?
    /// A queue that goes lets its calls go first.
    private unowned var queue: TimerQueue?

    /// When it is due. Twisted: `getTime`.
    public internal(set) var time: ReactorClock.Instant

    /// Orders calls that are due at the same moment: the one that was set first goes first.
    var sequence: UInt64

    /// Where it stands in the queue's heap, or -1 while it is in none.
    var position = -1

    init(queue: TimerQueue, time: ReactorClock.Instant, sequence: UInt64, body: @escaping () throws -> Void) {
        self.queue = queue
        self.time = time
        self.sequence = sequence
        self.body = body
    }

    /// Whether it will still be made. Twisted: `active`.
    public var isActive: Bool { state == .waiting }

    /// Takes the call back; it will not be made, and what it held is let go.
    ///
    /// - Throws: ``Failure`` where it was made or cancelled before.
    public func cancel() throws {
        try checkActive()
        state = .cancelled
        queue?.remove(self)
        letGo()
    }

    /// Takes the call back, unless it was made or cancelled before. Twisted: `active` and `cancel`.
    public func cancelIfActive() {
        if isActive { try? cancel() }
    }

    /// Makes the call due so long from now, whatever was set before.
    ///
    /// - Throws: ``Failure`` where it was made or cancelled before.
    public func reset(_ delay: Duration) throws {
        try checkActive()
        guard let queue else { return }
        queue.move(self, to: queue.clock.now.advanced(by: max(delay, .zero)))
    }

    /// Makes the call due so much later than it was; earlier, for a negative duration. Twisted: `delay`.
    ///
    /// - Throws: ``Failure`` where it was made or cancelled before.
    public func delay(by duration: Duration) throws {
        try checkActive()
        queue?.move(self, to: time.advanced(by: duration))
    }

    /// Makes the call now, unless it was cancelled or moved since the queue took it out.
    package func fire() throws {
        guard state == .waiting, position < 0, let body else { return }
        state = .called
        letGo()
        try body()
    }

    /// Ends the call with its queue, or because it was made or cancelled.
    func letGo() {
        body = nil
        queue = nil
    }

    private func checkActive() throws {
        switch state {
        case .waiting: return
        case .called: throw Failure.alreadyCalled
        case .cancelled: throw Failure.alreadyCancelled
        }
    }
}
