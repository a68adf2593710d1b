/// Aborts connections whose peers take what is sent to them too slowly.
///
/// ```swift
/// let echoes = Factory { Echo() }
/// try reactor.listenTCP(port: 8007, factory: DrainRateFactory(wrapping: echoes, bytesPerSecondMin: 1024))
/// ```
///
/// A peer that reads nothing, or a byte now and then, holds memory and a producer of this side for as long as it likes. Here it is given
/// up when, during a whole window, output was waiting and less of it left than the rate asks for. The reason is
/// ``ConnectionLost/timedOut`` with ``DeadlineError/drainRate(bytesPerSecondMin:window:)``.
///
/// # Contract
/// - It waits one to two windows after the peer has become slow, because the window in which output begins to wait is not judged.
/// - It goes on while the connection is closing. A peer for which nothing is waiting may be as slow as it likes.
/// - Waiting is what the system has not taken: a peer that stops reading is noticed when the system's own buffers are full.
///
/// Twisted has no such thing.
public final class DrainRateFactory: WrappingFactory {
    /// How many bytes per second a peer has to take where any are waiting.
    public let bytesPerSecondMin: Int
    /// Over how long the rate is measured.
    public let window: Duration

    /// Puts a least rate on the output of each connection of a factory.
    ///
    /// - Precondition: the window is longer than zero.
    public init(wrapping wrapped: Factory, bytesPerSecondMin: Int, window: Duration = .seconds(10)) {
        precondition(window > .zero, "a rate is measured over some time, not over \(window): give a window of a few seconds")
        self.bytesPerSecondMin = bytesPerSecondMin
        self.window = window
        super.init(wrapping: wrapped)
    }

    public override func wrap(_ handler: Protocol) -> ProtocolWrapper {
        DrainRateProtocol(wrapping: handler, bytesPerSecondMin: bytesPerSecondMin, window: window)
    }
}

private final class DrainRateProtocol: ProtocolWrapper {
    private let bytesPerSecondMin: Int
    private let window: Duration
    private var written = 0
    /// How many bytes had left when the window began.
    private var leftBefore = 0
    /// Whether at some time in this window nothing was waiting.
    private var wasEmpty = true
    /// The end of the window; nil while nothing is waiting.
    private var windowEnd: DelayedCall?

    init(wrapping wrapped: Protocol, bytesPerSecondMin: Int, window: Duration) {
        self.bytesPerSecondMin = bytesPerSecondMin
        self.window = window
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        try wrapped.makeConnection(TransportWrapper(over: transport) { [weak self] in self?.willWrite($0) })
    }

    private func willWrite(_ count: Int) {
        // Output can begin to wait only by a write, and so this sees each time at which it has not.
        if transport.bufferedByteCount == 0 { wasEmpty = true }
        written += count
        if windowEnd == nil { beginWindow() }
    }

    private func beginWindow() {
        windowEnd = transport.callLater(window) { [weak self] in self?.windowEnded() }
    }

    private func windowEnded() {
        windowEnd = nil
        let waiting = transport.bufferedByteCount
        guard waiting > 0 else { return }
        let left = written - waiting
        if !wasEmpty, Duration.seconds(left - leftBefore) < window * bytesPerSecondMin {
            let error = DeadlineError.drainRate(bytesPerSecondMin: bytesPerSecondMin, window: window)
            return transport.abortConnection(because: .timedOut(error))
        }
        wasEmpty = false
        leftBefore = left
        beginWindow()
    }
}
