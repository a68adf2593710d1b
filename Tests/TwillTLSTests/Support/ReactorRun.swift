import Testing

@testable import Twill

/// Runs a new reactor on this thread until the test stops it; `setUp` arranges what shall happen, and what it returns is there to be looked
/// at afterwards.
///
/// A test that forgets to stop, or whose event never comes, is stopped by the deadline and recorded as an issue.
@discardableResult
func withReactor<Outcome>(
    deadline: Duration = .seconds(20), log: RecordedLog = RecordedLog(), sourceLocation: SourceLocation = #_sourceLocation,
    _ setUp: (LibeventReactor) throws -> Outcome
) throws -> Outcome {
    let reactor = try LibeventReactor(logger: log.logger)
    let outcome = try setUp(reactor)
    try reactor.runToStop(deadline: deadline, sourceLocation: sourceLocation)
    return outcome
}

extension Reactor {
    /// Runs blocking work, a client of another make for example, on another thread; `then` gets its result on the reactor's. An error is recorded.
    func inBackground<Value: Sendable>(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ work: @escaping @Sendable () throws -> Value, then: @escaping (Value) throws -> Void = { _ in }
    ) {
        deferToThread(work).addCallback(then).addErrback { [weak self] error in
            Issue.record(error, sourceLocation: sourceLocation)
            self?.stop()
        }
    }

    /// Runs a client of another make on another thread, and stops the reactor when it is through.
    func runClient(sourceLocation: SourceLocation = #_sourceLocation, _ work: @escaping @Sendable () throws -> Void) {
        inBackground(sourceLocation: sourceLocation, work) { [unowned self] _ in stop() }
    }

    /// Runs until stopped, at most to the deadline, which is recorded as an issue.
    func runToStop(deadline: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation) throws {
        let alarm = callLater(deadline) { [unowned self] in
            Issue.record("the reactor was not stopped within \(deadline)", sourceLocation: sourceLocation)
            stop()
        }
        defer { alarm.cancelIfActive() }
        try run(installSignalHandlers: false)
    }

    /// Makes a call as soon as something holds; it is looked at once a millisecond.
    func when(_ holds: @escaping () -> Bool, then call: @escaping () throws -> Void) {
        callLater(.milliseconds(1)) { [unowned self] in
            if holds() { try call() } else { when(holds, then: call) }
        }
    }
}

extension ListeningPort {
    /// The port's number, as calls that connect want it.
    var number: Int { Int(address.port ?? 0) }
}
