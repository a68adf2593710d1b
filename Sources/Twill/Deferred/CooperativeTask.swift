/// What one step of a ``CooperativeTask`` comes to.
public enum CooperativeStep {
    /// There is more to do.
    case goOn
    /// There is more to do once this has fired; if it fails, so does the task.
    case wait(Deferred<Void>)
    /// This was the last step.
    case finished
}

/// Work in small steps, which a ``Cooperator`` makes in turn with those of others.
///
/// Twisted: `CooperativeTask`.
public final class CooperativeTask {
    /// Why a task ended early, and calls that do not fit its state.
    public enum Failure: Error, Hashable, CustomStringConvertible, Sendable {
        /// It was stopped, or its cooperator was. Twisted: `TaskStopped`, `SchedulerStopped`.
        case stopped
        /// It was resumed more often than paused. Twisted: `NotPaused`.
        case notPaused

        public var description: String {
            switch self {
            case .stopped: "the task was stopped before its last step"
            case .notPaused: "the task is not paused: resume it once for each pause"
            }
        }
    }

    /// Who gives it its turns; nil while it stands in that one's line, which holds it: both would hold each other.
    var cooperator: Cooperator?
    private var step: (() throws -> CooperativeStep)?
    private let outcome = Deferred<Void>()
    private var pauses = 0
    /// What it waits for.
    private var awaited: Deferred<Void>?

    init(_ cooperator: Cooperator, _ step: @escaping () throws -> CooperativeStep) {
        self.cooperator = cooperator
        self.step = step
    }

    deinit {
        cooperator?.forget(self)
    }

    /// Whether it has come to its end, of whatever kind.
    public var isDone: Bool { step == nil }

    /// Whether its next step may be made.
    var isReady: Bool { step != nil && pauses == 0 && awaited == nil }

    /// Fires when its last step was made; fails with what a step throws, with what it waited for, or with ``Failure/stopped``. Each call returns
    /// a Deferred of its own. An error that nobody asks for is logged when the task goes. Twisted: `whenDone`.
    public func whenDone(fileID: StaticString = #fileID, line: UInt32 = #line) -> Deferred<Void> {
        let deferred = Deferred<Void>(fileID: fileID, line: line)
        outcome.chainDeferred(deferred)
        return deferred
    }

    /// Makes no more steps until it is resumed as many times as it was paused. Twisted: `pause`.
    public func pause() {
        pauses += 1
    }

    /// Takes back one pause.
    ///
    /// - Throws: ``Failure/notPaused``.
    ///
    /// Twisted: `resume`.
    public func resume() throws {
        guard pauses > 0 else { throw Failure.notPaused }
        pauses -= 1
        cooperator?.lineUp(self)
    }

    /// Makes no more steps; it ends with ``Failure/stopped``, and what it waits for is cancelled. Nothing happens where it has ended. Twisted: `stop`.
    public func stop() {
        guard !isDone else { return }
        let awaited = awaited
        // Who stops it knows.
        outcome.wasObserved = true
        end(.failure(Failure.stopped))
        awaited?.cancel()
    }

    /// Makes one step, if it may.
    func makeStep() {
        guard isReady, let step else { return }
        do {
            switch try step() {
            case .goOn: return
            case .finished: end(.success(()))
            case .wait(let deferred): wait(for: deferred)
            }
        } catch {
            end(.failure(error))
        }
    }

    private func wait(for deferred: Deferred<Void>) {
        awaited = deferred
        deferred.addBoth { result in
            self.awaited = nil
            switch result {
            case .success: self.cooperator?.lineUp(self)
            case .failure: self.end(result)
            }
        }
        // The step itself may have stopped the task.
        if isDone { deferred.cancel() }
    }

    private func end(_ result: Result<Void, any Error>) {
        guard step.take() != nil else { return }
        awaited = nil
        cooperator?.forget(self)
        try? outcome.fire(result)
    }
}
