import Synchronization
import Twill

/// Asks all reactors whether they are well.
final class Heart: Sendable {
    private let handles: [ReactorHandle]
    private let missing = Mutex(0)

    init(_ handles: [ReactorHandle]) {
        self.handles = handles
    }

    /// Asks all anew; whether all have answered what was asked last. Where not, those are waited for.
    func beat() -> Bool {
        let areWell = missing.withLock { missing in
            defer { if missing == 0 { missing = handles.count } }
            return missing == 0
        }
        guard areWell else { return false }
        for handle in handles {
            handle.callFromThread { [self] _ in missing.withLock { $0 -= 1 } }
        }
        return true
    }
}
