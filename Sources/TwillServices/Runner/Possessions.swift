import Synchronization

/// What a program has once in the machine, and hands to the process that takes over from it: its pid file, its listening sockets, and the place where
/// it is asked for them.
final class Possessions: Sendable {
    /// Where the next process asks; nil where none is let in.
    let handoverPath: String?
    let table: SocketTable
    private let pidPath: String?
    private let pidFile = Mutex<PIDFile?>(nil)

    init(pidPath: String?, handoverPath: String?, table: SocketTable) {
        (self.pidPath, self.handoverPath, self.table) = (pidPath, handoverPath, table)
    }

    /// Takes the pid file, where there is to be one.
    func takePIDFile() throws(RunnerFailure) {
        guard let pidPath else { return }
        let taken = try PIDFile(pidPath)
        pidFile.withLock { $0 = taken }
    }

    /// Lets the next process have the pid file.
    func letNextHaveThem() {
        pidFile.withLock { $0 }?.handOver()
    }

    /// Takes away what is still this process's.
    func giveBack() {
        pidFile.withLock { $0 }?.remove()
    }
}
