import Logging
public import Twill

/// Makes a call again and again while it runs: a ``/Twill/LoopingCall`` as a service.
///
/// ```swift
/// try services.add(TimerService(every: .seconds(60)) { report() })
/// ```
///
/// The first call is made when it starts, the others at the moments of a fixed grid. A call that throws is the last one until the service is started
/// again; its error is logged. Stopping waits for a call that is under way.
///
/// Twisted: `TimerService`.
public final class TimerService: Service {
    /// The time from one call to the next.
    public let interval: Duration
    private let makeLoop: (any Reactor) -> LoopingCall
    private var loop: LoopingCall?
    /// Fires when the loop has ended.
    private var ended: Deferred<Void>?

    /// Makes a service that makes a call.
    public init(name: String? = nil, every interval: Duration, _ call: @escaping () throws -> Void) {
        self.interval = interval
        makeLoop = { LoopingCall(on: $0, call) }
        super.init(name: name)
    }

    /// Makes a service that makes a call which takes longer; the next one waits for it.
    public init<Ignored>(name: String? = nil, every interval: Duration, _ call: @escaping () throws -> Deferred<Ignored>) {
        self.interval = interval
        makeLoop = { LoopingCall(on: $0, call) }
        super.init(name: name)
    }

    /// Whether it goes on making calls.
    public var isTicking: Bool { loop?.isRunning ?? false }

    public override func startService() throws {
        let loop = makeLoop(reactor)
        self.loop = loop
        ended = try loop.start(interval).addErrback { error in
            self.reactor.logger.error("\(self.logPrefix) makes no more calls, because one failed: \(error)")
        }
    }

    public override func stopService() throws -> Deferred<Void>? {
        loop?.stop()
        loop = nil
        return ended.take()
    }
}
