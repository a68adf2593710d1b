/// Waits for several Deferreds, whatever comes of each: the list of their results, in the order in which they are given.
///
/// ```swift
/// DeferredList([lookUp("a"), lookUp("b")]).addCallback { results in
///     for case .success(let address) in results { print(address) }
/// }
/// ```
///
/// With `fireOnOneErrback` it fails with a ``FirstError`` as soon as one fails; the others go on. Cancelling it cancels all of them. Who wants the
/// first value only asks for ``fireOnOneCallback(_:consumeErrors:fileID:line:)``, or for ``race(_:fileID:line:)``.
///
/// Twisted: `DeferredList`, whose result is a list of pairs, and which logs the errors, too, unless `consumeErrors` is set. Here an error that is in the
/// list is not logged.
public final class DeferredList<Value>: Deferred<[Result<Value, any Error>]> {
    /// Waits for Deferreds; with none, the result is there at once.
    ///
    /// - Parameters:
    ///   - deferreds: what is waited for.
    ///   - fireOnOneErrback: whether the first error is the result.
    ///   - consumeErrors: whether errors that come after that are passed over. Else they are logged, unless somebody else asks for them.
    ///   - fileID: the caller's file, which an error that nobody handles is logged with.
    ///   - line: the caller's line.
    public init(
        _ deferreds: [Deferred<Value>], fireOnOneErrback: Bool = false, consumeErrors: Bool = false, fileID: StaticString = #fileID,
        line: UInt32 = #line
    ) {
        super.init(fileID: fileID, line: line)
        var results = [Result<Value, any Error>?](repeating: nil, count: deferreds.count)
        var missing = deferreds.count
        if missing == 0 { settle(.success([])) }
        gather(deferreds, into: self) { index, deferred, result in
            if consumeErrors || !self.hasFired { deferred.wasObserved = true }
            guard !self.hasFired else { return nil }
            if fireOnOneErrback, case .failure(let error) = result {
                self.settle(.failure(FirstError(index: index, error: error)))
            } else {
                results[index] = result
                missing -= 1
                guard missing == 0 else { return nil }
                self.settle(.success(results.compactMap { $0 }))
            }
            results = []
            return self
        }
    }

    /// Waits for the first value; the others go on, and theirs are dropped.
    ///
    /// - Parameters:
    ///   - deferreds: what is waited for.
    ///   - consumeErrors: whether errors that come after the value are passed over. Else they are logged, unless somebody else asks for them.
    ///   - fileID: the caller's file, which an error that nobody handles is logged with.
    ///   - line: the caller's line.
    /// - Returns: the value, with the number of its Deferred. Fails with a ``FailureGroup`` where all have failed. Cancelling it cancels all.
    ///
    /// Twisted: `DeferredList(…, fireOnOneCallback=True)`, which does not fail where all have.
    public static func fireOnOneCallback(
        _ deferreds: [Deferred<Value>], consumeErrors: Bool = false, fileID: StaticString = #fileID, line: UInt32 = #line
    ) -> Deferred<(index: Int, value: Value)> {
        let outcome = Deferred<(index: Int, value: Value)>(fileID: fileID, line: line)
        takeFirstValue(of: deferreds, into: outcome, cancelsLosers: false, consumeErrors: consumeErrors)
        return outcome
    }
}
