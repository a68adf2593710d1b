/// What a ``Deferred`` ends with by itself, and calls that do not fit its state or that of a lock.
public enum DeferredError: Error, Hashable, CustomStringConvertible, Sendable {
    /// It was fired a second time. Twisted: `AlreadyCalledError`.
    case alreadyFired
    /// It is a link of a chain, which fires when the Deferred before it does.
    case firesByItself
    /// A callback has returned the very Deferred that waits for what the callback returns.
    case waitsForItself
    /// A lock or token was released that nobody had acquired.
    case notAcquired
    /// It was cancelled. Twisted: `CancelledError`.
    case cancelled
    /// It had no result after so long, and was cancelled for that. Twisted: `TimeoutError`.
    case timedOut(Duration)

    public var description: String {
        switch self {
        case .alreadyFired: "the Deferred has fired already: it takes one result"
        case .firesByItself: "the Deferred is what comes of another one's callback: fire that other one"
        case .waitsForItself: "the callback returned the Deferred that waits for it: it would never fire"
        case .notAcquired: "released without having been acquired: release once for each acquire that has fired"
        case .cancelled: "the Deferred was cancelled"
        case .timedOut(let duration): "no result came within \(duration), so the Deferred was cancelled"
        }
    }
}
