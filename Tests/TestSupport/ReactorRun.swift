package import Testing
package import Twill
package import TwillTesting

/// Runs a new reactor on this thread until the test stops it; `setUp` arranges what shall happen, and what it returns is there to be looked
/// at afterwards.
///
/// A test that forgets to stop, or whose event never comes, is stopped by the deadline and recorded as an issue.
@discardableResult
package func withReactor<Outcome>(
    deadline: Duration = .seconds(20), log: RecordedLog = RecordedLog(), sourceLocation: SourceLocation = #_sourceLocation,
    _ setUp: (LibeventReactor) throws -> Outcome
) throws -> Outcome {
    let reactor = try LibeventReactor(logger: log.logger)
    let outcome = try setUp(reactor)
    try reactor.runToStop(deadline: deadline, sourceLocation: sourceLocation)
    return outcome
}

extension Reactor {
    /// Runs blocking work, a raw client for example, on another thread; `then` gets its result on the reactor's.
    /// An error is recorded. Inside, `try #require` is the way to expect things: what `#expect` finds there belongs to no test.
    package func inBackground<Value: Sendable>(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ work: @escaping @Sendable () throws -> Value, then: @escaping (Value) throws -> Void = { _ in }
    ) {
        deferToThread(work).addCallback(then).addErrback { [weak self] error in
            // A result that comes when the reactor has stopped waits in it; it must not keep it.
            Issue.record(error, sourceLocation: sourceLocation)
            self?.stop()
        }
    }

    /// Runs a raw client on another thread, and stops the reactor when it is through.
    package func runClient(sourceLocation: SourceLocation = #_sourceLocation, _ work: @escaping @Sendable () throws -> Void) {
        inBackground(sourceLocation: sourceLocation, work) { [unowned self] _ in stop() }
    }
}

extension Reactor {
    /// Runs until stopped, at most to the deadline, which is recorded as an issue.
    package func runToStop(deadline: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation) throws {
        let alarm = callLater(deadline) { [unowned self] in
            Issue.record("the reactor was not stopped within \(deadline)", sourceLocation: sourceLocation)
            stop()
        }
        defer { alarm.cancelIfActive() }
        try run(installSignalHandlers: false)
    }
}

extension ListeningPort {
    /// The port's number, as calls that connect want it.
    package var number: Int { Int(address.port ?? 0) }
}
