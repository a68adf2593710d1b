/// Lets go of chains of Deferreds that have not fired, one link after the other.
///
/// A chain owns its links from its source down, and the end of a long one would be a recursion as deep as it is long. So whatever waits for a
/// Deferred that goes is handed over here, and the first one to do so on a thread lets go of all that the others hand over meanwhile.
///
/// What makes the `@unchecked` true: a queue is used by the thread that made it, and by no other. A task that is started meanwhile inherits the
/// reference, finds itself on another thread or the queue closed, and makes one of its own.
final class ReleaseQueue: @unchecked Sendable {
    @TaskLocal private static var current: ReleaseQueue?

    private let thread = ThreadIdentity.current
    private var isOpen = true
    /// Lists of Deferreds that waited for one that has gone.
    private var lists: [AnyDeferred] = []
    /// Closures that may hold others.
    private var calls: [Any] = []

    private init() {}

    /// Lets go of a list of Deferreds: at once, or where this happens because of such a call, after that.
    ///
    /// Whoever calls this must hold it no longer, or the last reference would be let go outside of the queue: hence the ownership.
    static func release(_ list: consuming AnyDeferred?) {
        guard let list = consume list else { return }
        let (queue, isNew) = open()
        queue.lists.append(consume list)
        if isNew { $current.withValue(queue) { queue.empty() } }
    }

    /// Lets go of a closure in the same way.
    static func release<Call>(call: consuming Call) {
        let (queue, isNew) = open()
        queue.calls.append(consume call)
        if isNew { $current.withValue(queue) { queue.empty() } }
    }

    /// The queue that this thread is emptying, or a new one.
    private static func open() -> (queue: ReleaseQueue, isNew: Bool) {
        if let current, current.thread == ThreadIdentity.current, current.isOpen { return (current, false) }
        return (ReleaseQueue(), true)
    }

    private func empty() {
        while true {
            if let list = lists.popLast() {
                var rest: AnyDeferred? = list
                while let waiter = rest { rest = waiter.leave() }
            } else if calls.popLast() == nil {
                isOpen = false
                return
            }
        }
    }
}
