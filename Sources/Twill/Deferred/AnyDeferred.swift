/// What every ``Deferred`` is, whatever the type of its result: something that fires once and can be cancelled.
///
/// A result passes from a Deferred to those that wait for it. Each waits for one thing at a time: a link of a chain for the Deferred that it
/// was added to, and then for the one that its callback returned. A Deferred owns those that wait for it; they know it without owning it, so
/// that a chain whose source is dropped goes with it.
///
/// The law here: nothing recurses, neither firing (`deliver`), nor cancelling, nor the end of a chain (`ReleaseQueue`).
public class AnyDeferred {
    /// What it does.
    enum State: UInt8 {
        /// Waits for somebody to fire it.
        case open
        /// Is a link whose call was not made yet.
        case waiting
        /// Is a link whose call is being made.
        case running
        /// Is a link that waits for the Deferred which its call returned.
        case adopting
        /// Has a result.
        case fired
        /// Has a result, that it was cancelled, and takes the one that was to come in silence.
        case givenUp
    }

    #if DEBUG
    private let liveCount = LiveCount(.deferreds)
    #endif
    // Those that wait, oldest first: a list whose elements are its nodes, so that waiting allocates nothing.
    private final var firstWaiter: AnyDeferred?
    /// Set only where there are two or more.
    private final var lastWaiter: AnyDeferred?
    private final var nextWaiter: AnyDeferred?
    /// What this one waits for; it forgets those that wait for it before it goes.
    private(set) final unowned var source: AnyDeferred?
    // From here on it is one word and a half, packed.
    final let fileID: StaticString
    final var state: State
    private final var isDelivering = false
    /// Whether somebody has taken over its error.
    final var wasObserved = false
    final let line: UInt32

    init(_ state: State, _ fileID: StaticString, _ line: UInt32) {
        self.state = state
        self.fileID = fileID
        self.line = line
    }

    deinit {
        lastWaiter = nil
        if firstWaiter != nil { ReleaseQueue.release(firstWaiter.take()) }
    }

    /// Whether the result is there.
    public final var hasFired: Bool { state == .fired || state == .givenUp }

    /// Takes in the result of what this one waited for. Returns what has fired because of it.
    func receive(from source: AnyDeferred) -> AnyDeferred? { nil }

    /// Ends what waits for nothing else and has not fired, as its being cancelled asks for.
    func cancelHere() {}

    /// Gives up on the result. It reaches the Deferred that the chain waits for at present, wherever on the chain it is called.
    ///
    /// - What a chain waits for is its source; or, once a callback has returned another Deferred, that one or its source in turn.
    /// - That one's canceller is called. If it does not fire it, the Deferred fails with ``DeferredError/cancelled``. One without a canceller
    ///   fails at once, and takes the result that comes later in silence.
    /// - Everybody who waits for it hears of it: a Deferred with several links has one result. Who wants to give up alone chains a
    ///   Deferred of his own to it, by ``Deferred/chainDeferred(_:)``.
    /// - A link whose source was dropped gets ``DeferredError/cancelled`` as if that had come from the source.
    /// - Deferreds that wait for each other in a ring would never fire; one of them fails with ``DeferredError/cancelled``.
    /// - Once it has fired, and while a callback of the chain runs, nothing happens.
    ///
    /// Twisted: `cancel`.
    public final func cancel() {
        guard !hasFired else { return }
        let target = origin
        if !target.hasFired { target.cancelHere() }
    }

    /// What all of this waits for in the end; where that is a ring, one of those in it.
    private final var origin: AnyDeferred {
        var target = self
        // Where the walk was after 1, 2, 4 … steps: it comes by there again if it walks in a ring.
        var mark = self
        var steps = 0
        var nextMark = 1
        while let source = target.source {
            target = source
            guard source !== mark else { break }
            steps += 1
            if steps == nextMark {
                mark = target
                nextMark *= 2
            }
        }
        return target
    }

    /// Makes another one wait for this one.
    final func append(_ waiter: AnyDeferred) {
        waiter.source = self
        if let last = lastWaiter ?? firstWaiter {
            last.nextWaiter = waiter
            lastWaiter = waiter
        } else {
            firstWaiter = waiter
        }
    }

    /// The one that waits for the longest, which does so no more.
    private final func takeWaiter() -> AnyDeferred? {
        guard let waiter = firstWaiter else { return nil }
        firstWaiter = waiter.leave()
        if firstWaiter == nil { lastWaiter = nil }
        return waiter
    }

    /// Waits no longer; returns the next one in the list that it was in.
    final func leave() -> AnyDeferred? {
        source = nil
        return nextWaiter.take()
    }

    /// Hands the result to those that wait, and theirs to those that wait for them, each to its end before the next.
    ///
    /// What begins to wait for one that is handing out its result is served after those that waited before.
    final func deliver() {
        guard !isDelivering else { return }
        var current = self
        // Those that have more to serve, but first what the one they have served has to serve.
        var interrupted: [AnyDeferred] = []
        while true {
            guard let waiter = current.takeWaiter() else {
                guard let next = interrupted.popLast() else { return }
                current = next
                continue
            }
            current.isDelivering = true
            let ready = waiter.receive(from: current)
            let hasMore = current.firstWaiter != nil
            current.isDelivering = hasMore
            if let ready, ready.firstWaiter != nil, !ready.isDelivering {
                if hasMore { interrupted.append(current) }
                current = ready
            }
        }
    }
}
