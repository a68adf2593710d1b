/// Waits for the first value of several Deferreds, and cancels the others.
///
/// ```swift
/// race([lookUp("a"), lookUp("b")]).addCallback { winner in print(winner.index, winner.value) }
/// ```
///
/// - Parameters:
///   - deferreds: what is waited for, at least one.
///   - fileID: the caller's file, which an error that nobody handles is logged with.
///   - line: the caller's line.
/// - Returns: the value, with the number of its Deferred. A Deferred that fails is out of the race; where all have failed, or there were none, it
///   fails with a ``FailureGroup``. Cancelling it cancels all.
///
/// The losers are cancelled before the winner is told. Their errors are passed over.
///
/// Twisted: `race`.
public func race<Value>(
    _ deferreds: [Deferred<Value>], fileID: StaticString = #fileID, line: UInt32 = #line
) -> Deferred<(index: Int, value: Value)> {
    let outcome = Deferred<(index: Int, value: Value)>(fileID: fileID, line: line)
    takeFirstValue(of: deferreds, into: outcome, cancelsLosers: true, consumeErrors: true)
    return outcome
}

/// Has the first value of several Deferreds in another one.
func takeFirstValue<Value>(
    of deferreds: [Deferred<Value>], into outcome: Deferred<(index: Int, value: Value)>, cancelsLosers: Bool, consumeErrors: Bool
) {
    var errors = [(any Error)?](repeating: nil, count: deferreds.count)
    var missing = deferreds.count
    if missing == 0 { outcome.settle(.failure(FailureGroup(errors: []))) }
    gather(deferreds, into: outcome) { index, deferred, result in
        if consumeErrors || !outcome.hasFired { deferred.wasObserved = true }
        guard !outcome.hasFired else { return nil }
        switch result {
        case .success(let value):
            let cancelAll = outcome.canceller
            outcome.settle(.success((index, value)))
            if cancelsLosers { cancelAll?(outcome) }
        case .failure(let error):
            errors[index] = error
            missing -= 1
            guard missing == 0 else { return nil }
            outcome.settle(.failure(FailureGroup(errors: errors.compactMap { $0 })))
        }
        return outcome
    }
    // Those that come after a winner that was there from the beginning were not waiting yet when it won.
    if cancelsLosers, case .success = outcome.result {
        for deferred in deferreds { deferred.cancel() }
    }
}
