/// Makes a call that may throw, and a Deferred of what it returns. Twisted: `maybeDeferred`, `execute`.
///
/// ```swift
/// let answer = maybeDeferred { try slowLookup(name) }
/// ```
public func maybeDeferred<Value>(
    _ call: () throws -> Value, fileID: StaticString = #fileID, line: UInt32 = #line
) -> Deferred<Value> {
    Deferred(Result { try call() }, fileID: fileID, line: line)
}

/// Makes a call that returns a Deferred or throws; either way there is a Deferred. Twisted: `maybeDeferred`.
public func maybeDeferred<Value>(
    _ call: () throws -> Deferred<Value>, fileID: StaticString = #fileID, line: UInt32 = #line
) -> Deferred<Value> {
    do {
        return try call()
    } catch {
        return .fail(error, fileID: fileID, line: line)
    }
}
