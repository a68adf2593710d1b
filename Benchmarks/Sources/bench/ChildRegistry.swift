import Foundation
import Synchronization

/// The children that are alive, so that none outlives bench, however it ends.
///
/// A child is reaped under the same lock that kills: a process id is never used after the system may have given it away.
enum ChildRegistry {
    private static let children = Mutex<Set<pid_t>>([])

    /// Adds the child that `spawn` starts.
    static func add(_ spawn: () throws -> pid_t) rethrows -> pid_t {
        try children.withLock { children in
            let pid = try spawn()
            children.insert(pid)
            return pid
        }
    }

    /// How the child ended, once it has; nil while it runs.
    static func reap(_ pid: pid_t) -> WaitStatus? {
        children.withLock { children in
            guard children.contains(pid) else { return nil }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            children.remove(pid)
            return WaitStatus(raw: status)
        }
    }

    static func kill(_ pid: pid_t, _ signal: Int32) {
        children.withLock { children in
            if children.contains(pid) { _ = Foundation.kill(pid, signal) }
        }
    }

    /// From here on ^C, SIGTERM and SIGHUP end the children, remove bench's temporary folders, and end bench.
    ///
    /// Call before any other thread is made: the signals are blocked in all of them and taken by one that waits for nothing else, which
    /// may do what a signal handler may not.
    static func endChildrenOnSignals() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        Thread.detachNewThread { [signals] in
            var awaited = signals
            var signal: Int32 = 0
            while sigwait(&awaited, &signal) != 0 {}
            children.withLock { children in
                // SIGKILL, because nobody is left to wait for a child that takes its time over SIGTERM.
                for pid in children { _ = Foundation.kill(pid, SIGKILL) }
                TemporaryFolder.removeAll()
                _exit(128 + signal)
            }
        }
    }
}

/// What waitpid says of a child that has ended.
struct WaitStatus {
    let raw: Int32

    /// 0 for a child that ended well.
    var isSuccess: Bool { raw == 0 }

    var description: String {
        let signal = raw & 0x7f
        return signal == 0 ? "exited with status \((raw >> 8) & 0xff)" : "was killed by signal \(signal)"
    }
}
