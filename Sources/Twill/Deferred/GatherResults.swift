/// Waits for all of several Deferreds: their values in the order in which they are given, or the first error.
///
/// ```swift
/// gatherResults([lookUp("a"), lookUp("b")]).addCallback { addresses in print(addresses) }
/// ```
///
/// - Parameters:
///   - deferreds: what is waited for; with none, the result is there at once.
///   - consumeErrors: whether errors that come after the first one are passed over. Else they are logged, unless somebody else asks for them.
///   - fileID: the caller's file, which an error that nobody handles is logged with.
///   - line: the caller's line.
/// - Returns: fails with a ``FirstError`` as soon as one fails; the others go on. Cancelling it cancels all of them.
///
/// Twisted: `gatherResults`, which logs the first error, too, unless `consumeErrors` is set.
public func gatherResults<Value>(
    _ deferreds: [Deferred<Value>], consumeErrors: Bool = false, fileID: StaticString = #fileID, line: UInt32 = #line
) -> Deferred<[Value]> {
    let outcome = Deferred<[Value]>(fileID: fileID, line: line)
    var values = [Value?](repeating: nil, count: deferreds.count)
    var missing = deferreds.count
    if missing == 0 { outcome.settle(.success([])) }
    gather(deferreds, into: outcome) { index, deferred, result in
        if consumeErrors || !outcome.hasFired { deferred.wasObserved = true }
        guard !outcome.hasFired else { return nil }
        switch result {
        case .success(let value):
            values[index] = value
            missing -= 1
            guard missing == 0 else { return nil }
            outcome.settle(.success(values.compactMap { $0 }))
        case .failure(let error):
            outcome.settle(.failure(FirstError(index: index, error: error)))
        }
        values = []
        return outcome
    }
    return outcome
}
