/// Makes one Deferred depend on several: each of their results is told to `call` with its number, and cancelling the one cancels those that
/// have not fired.
///
/// Those that are waited for hold the one, which does not hold them.
func gather<Value, Outcome>(
    _ deferreds: [Deferred<Value>], into outcome: Deferred<Outcome>,
    _ call: @escaping (_ index: Int, Deferred<Value>, Result<Value, any Error>) -> AnyDeferred?
) {
    guard !deferreds.isEmpty else { return }
    let taps = deferreds.indices.map { index in Tap<Value> { call(index, $0, $1) } }
    let waiting = taps.map { WeakTap(tap: $0) }
    outcome.canceller = { _ in
        for waiting in waiting { waiting.tap?.cancel() }
    }
    for (deferred, tap) in zip(deferreds, taps) { deferred.add(tap) }
}

private struct WeakTap {
    weak var tap: AnyDeferred?
}

/// One of several Deferreds has failed, and all of them were wanted. Twisted: `FirstError`.
public struct FirstError: Error, CustomStringConvertible {
    /// Which of them.
    public let index: Int
    /// What it failed with.
    public let error: any Error

    public var description: String { "number \(index), counted from 0, failed: \(error)" }
}

/// All of several Deferreds have failed, and one was wanted. Twisted: `FailureGroup`.
public struct FailureGroup: Error, CustomStringConvertible {
    /// What they failed with, in the order in which they were given.
    public let errors: [any Error]

    public var description: String {
        errors.isEmpty
            ? "there were no Deferreds to wait for" : "all \(errors.count) failed: \(errors.map { "\($0)" }.joined(separator: "; "))"
    }
}
