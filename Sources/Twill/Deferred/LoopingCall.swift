/// Makes a call again and again, at the moments of a fixed grid.
///
/// ```swift
/// let heartbeat = LoopingCall(on: reactor) { transport.write("still here\n") }
/// try heartbeat.start(.seconds(30))
/// ```
///
/// # Contract
/// - The grid begins at the start: the calls are at the start (unless `now` is false) and one interval apart, however long they take. What is too
///   late is skipped, and the next call is at the next moment of the grid. With `withCount` the call hears how many moments have gone by.
/// - A call that returns a Deferred is waited for; calls never overlap. The next one comes with the first moment of the grid after its end.
/// - A call that throws, or whose Deferred fails, is the last one; its error is the result.
/// - An interval of zero makes one call on each turn of the reactor.
/// - The reactor holds it while it waits for the next moment. When the reactor goes, the loop ends without a result.
///
/// Twisted: `LoopingCall`.
public final class LoopingCall {
    /// A loop that could not be started.
    public enum Failure: Error, Hashable, CustomStringConvertible, Sendable {
        /// It runs, or its last call has not ended yet.
        case alreadyRunning
        /// Time does not run backwards.
        case negativeInterval(Duration)
        /// The reactor is gone, or was never there.
        case noReactor

        public var description: String {
            switch self {
            case .alreadyRunning: "the loop runs already: stop it, and start it when its Deferred has fired"
            case .negativeInterval(let interval): "the interval is \(interval): give one of zero or more"
            case .noReactor: "the loop's reactor is gone: make another loop on another reactor"
            }
        }
    }

    private let body: (_ count: Int) throws -> Deferred<Void>?
    private weak var reactor: (any Reactor)?
    /// What `start` returned; nil once it has fired.
    private var outcome: Deferred<Void>?
    private var timer: DelayedCall?
    /// Whether a call is being made, or waited for.
    private var isCalling = false
    /// What the last call returned, while it is waited for.
    private var pending: Deferred<Void>?
    /// Where the grid begins, in nanoseconds of the reactor's time.
    private var gridStart: Int64 = 0
    /// The distance of its moments in nanoseconds.
    private var step: Int64 = 0
    /// The number of the moment at which the last call was made.
    private var lastMoment: Int64 = 0

    /// Whether it goes on making calls. Twisted: `running`.
    public private(set) var isRunning = false

    /// The interval that it was last started with. Twisted: `interval`.
    public var interval: Duration { .nanoseconds(step) }

    /// Makes a loop; it begins with ``start(_:now:fileID:line:)``.
    public convenience init(on reactor: any Reactor, _ body: @escaping () throws -> Void) {
        self.init(reactor) { _ in
            try body()
            return nil
        }
    }

    /// Makes a loop of a call that takes longer.
    public convenience init<Ignored>(on reactor: any Reactor, _ body: @escaping () throws -> Deferred<Ignored>) {
        self.init(reactor) { _ in try body().addCallback { _ in } }
    }

    /// Makes a loop whose call hears how many moments of the grid have come since the last call: 1 where none was skipped. Twisted: `withCount`.
    ///
    /// The count is 1 always where the interval is zero.
    public static func withCount(on reactor: any Reactor, _ body: @escaping (Int) throws -> Void) -> LoopingCall {
        LoopingCall(reactor) {
            try body($0)
            return nil
        }
    }

    /// Makes a loop of a call that takes longer, and hears how many moments of the grid have come since the last one.
    public static func withCount<Ignored>(
        on reactor: any Reactor, _ body: @escaping (Int) throws -> Deferred<Ignored>
    ) -> LoopingCall {
        LoopingCall(reactor) { try body($0).addCallback { _ in } }
    }

    private init(_ reactor: any Reactor, _ body: @escaping (Int) throws -> Deferred<Void>?) {
        self.reactor = reactor
        self.body = body
    }

    /// Begins the grid now, and makes its first call: in here, or one interval from now.
    ///
    /// - Returns: fires when the loop has ended, by ``stop()`` or an error. Cancelling it ends the loop, and cancels what the last call returned.
    /// - Throws: ``Failure``.
    ///
    /// Twisted: `start`, whose result is the loop.
    @discardableResult
    public func start(
        _ interval: Duration, now: Bool = true, fileID: StaticString = #fileID, line: UInt32 = #line
    ) throws -> Deferred<Void> {
        guard outcome == nil, !isCalling else { throw Failure.alreadyRunning }
        guard interval >= .zero else { throw Failure.negativeInterval(interval) }
        guard let reactor else { throw Failure.noReactor }
        let outcome = Deferred<Void>(canceller: { [weak self] _ in self?.abandon() }, fileID: fileID, line: line)
        self.outcome = outcome
        isRunning = true
        step = interval.clampedNanoseconds
        gridStart = reactor.now.nanoseconds
        lastMoment = now ? -1 : 0
        if now { makeCall() } else { wait() }
        return outcome
    }

    /// Makes no more calls. Its Deferred fires now, or when the call that is being made has ended. Nothing happens where it does not run.
    public func stop() {
        guard isRunning else { return }
        isRunning = false
        guard let timer else { return }
        timer.cancelIfActive()
        finish(.success(()))
    }

    /// Begins the grid anew: the next call is one interval from now. Nothing happens where it does not run. Twisted: `reset`.
    public func reset() {
        guard isRunning, let reactor else { return }
        gridStart = reactor.now.nanoseconds
        lastMoment = 0
        guard let timer else { return }
        timer.cancelIfActive()
        wait()
    }

    private func makeCall() {
        timer = nil
        isCalling = true
        do {
            guard let pending = try body(momentsSinceLastCall()) else { return callEnded(.success(())) }
            self.pending = pending
            pending.addBoth { self.callEnded($0) }
        } catch {
            callEnded(.failure(error))
        }
    }

    private func callEnded(_ result: Result<Void, any Error>) {
        isCalling = false
        pending = nil
        switch result {
        case .success: wait()
        case .failure: finish(result)
        }
    }

    private func momentsSinceLastCall() -> Int {
        guard step > 0, let reactor else { return 1 }
        let moment = (reactor.now.nanoseconds - gridStart) / step
        defer { lastMoment = moment }
        return Int(moment - lastMoment)
    }

    /// Waits for the next moment of the grid, unless it was stopped.
    private func wait() {
        guard isRunning else { return finish(.success(())) }
        guard let reactor else { return }
        let delay = step == 0 ? 0 : step - (reactor.now.nanoseconds - gridStart) % step
        timer = reactor.callLater(.nanoseconds(delay)) { self.makeCall() }
    }

    /// Its Deferred was cancelled, and fails now.
    private func abandon() {
        isRunning = false
        outcome = nil
        timer?.cancelIfActive()
        timer = nil
        pending?.cancel()
    }

    private func finish(_ result: Result<Void, any Error>) {
        isRunning = false
        timer = nil
        guard let outcome = outcome.take() else { return }
        // It may have been fired by somebody else.
        try? outcome.fire(result)
    }
}
