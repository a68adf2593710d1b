#if DEBUG
import Synchronization

/// How many protocols, transports, ports, delayed calls and Deferreds are alive, for tests that look for leaks. Debug builds alone count.
///
/// What a task makes is counted where that task says, so that tests which run side by side don't see each other's objects.
package final class LiveObjects: Sendable {
    /// What is counted.
    package enum Kind: String, Sendable {
        case protocols, transports, ports, delayedCalls, deferreds
    }

    /// Where objects that are made now are counted.
    @TaskLocal package static var current = LiveObjects()

    private let counts = Mutex<[Kind: Int]>([:])

    package init() {}

    /// How many are alive of each kind of which any is.
    package var alive: [Kind: Int] { counts.withLock { $0.filter { $0.value != 0 } } }

    fileprivate func add(_ amount: Int, to kind: Kind) {
        counts.withLock { $0[kind, default: 0] += amount }
    }
}

/// Counts the object that it is a field of, for as long as that lives.
struct LiveCount: ~Copyable {
    private let objects = LiveObjects.current
    private let kind: LiveObjects.Kind

    init(_ kind: LiveObjects.Kind) {
        self.kind = kind
        objects.add(1, to: kind)
    }

    deinit {
        objects.add(-1, to: kind)
    }
}
#endif
