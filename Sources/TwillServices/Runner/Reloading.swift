import Synchronization
import Twill

/// Lets the trees of a program reload, each on its reactor's thread.
///
/// Invariant: a tree begins to reload after the last call, however many there were; a tree that has not begun yet needs no second call.
final class Reloading: Sendable {
    private struct Progress {
        /// The trees that are to begin, by their number.
        var due: Set<Int> = []
        /// How many are to begin, or have begun and not finished.
        var unfinished = 0
    }

    private let progress = Mutex(Progress())

    /// Called on the thread that waits for signals.
    ///
    /// - Parameter tell: called with true before the first begins, and with false when the last has finished.
    func reload(_ trees: [Supervisor.Tree], _ tell: @escaping @Sendable (_ begins: Bool) -> Void) {
        let (added, isFirst) = progress.withLock { progress in
            let added = trees.indices.filter { !progress.due.contains($0) }
            defer {
                progress.due.formUnion(added)
                progress.unfinished += added.count
            }
            return (added, progress.unfinished == 0 && !added.isEmpty)
        }
        if isFirst { tell(true) }
        for number in added {
            let tree = trees[number].tree
            trees[number].handle.callFromThread { _ in
                // Whoever calls from here on may mean what was not there yet.
                self.progress.withLock { _ = $0.due.remove(number) }
                tree.value.root.reload()
                let isLast = self.progress.withLock { progress in
                    progress.unfinished -= 1
                    return progress.unfinished == 0
                }
                if isLast { tell(false) }
            }
        }
    }
}
