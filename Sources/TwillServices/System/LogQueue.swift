import Logging
import Synchronization
import Twill

/// The lines of the log on their way out, and the thread that takes them there: whoever logs never waits for whoever reads.
///
/// A pipe that nobody reads, a system's log that stalls and a disk that hangs keep the thread, and no reactor. What has no room then is dropped and
/// counted, and one line tells how many they were, in the place where they are missing.
///
/// Invariant: lines leave in the order in which they came, and no more than ``waitingBytesMax`` bytes wait beside those that are being written.
final class LogQueue: Sendable {
    /// Some thousand lines: a reader that restarts misses none.
    static let waitingBytesMax = 1 << 20

    private enum Entry {
        case line(String, Logger.Level)
        /// So many lines are missing here.
        case gap(Int)
        /// What follows goes there.
        case turn(LogTarget)
        /// Somebody waits until all before this has been written.
        case mark(Gate)
    }

    private struct Waiting {
        var hasThread = false
        var entries: [Entry] = []
        var bytes = 0
        var dropped = 0

        mutating func noteGap() {
            guard dropped > 0 else { return }
            if case .gap(let count) = entries.last {
                entries[entries.count - 1] = .gap(count + dropped)
            } else {
                entries.append(.gap(dropped))
            }
            dropped = 0
        }
    }

    private let waiting = Mutex(Waiting())
    private let bell = Gate()
    private let first: LogTarget
    private let describeGap: @Sendable (Int) -> String

    /// - Parameter describeGap: the line that says how many are missing.
    init(to target: LogTarget, describeGap: @escaping @Sendable (Int) -> String) {
        first = target
        self.describeGap = describeGap
    }

    /// Starts the thread, unless there is one: lines wait until then. Called when the signals that are for the runner are blocked, and when nothing is to
    /// change any more that each thread has for itself.
    func start() throws(SystemError) {
        guard waiting.withLock({ !$0.hasThread }) else { return }
        try SystemThread.start { self.work() }
        waiting.withLock { $0.hasThread = true }
    }

    /// Takes a line; drops it where too many wait.
    func write(_ line: String, level: Logger.Level) {
        add { waiting in
            guard waiting.bytes < Self.waitingBytesMax else {
                waiting.dropped += 1
                return
            }
            waiting.noteGap()
            waiting.bytes += line.utf8.count
            waiting.entries.append(.line(line, level))
        }
    }

    /// What is taken from now on goes to another target; the one before is closed when the lines before have been written.
    func turn(to target: LogTarget) {
        add { waiting in
            waiting.noteGap()
            // Where nothing gets out, no more than one is open in vain.
            let pending = waiting.entries.lastIndex { if case .turn = $0 { true } else { false } }
            if let pending, case .turn(let unused) = waiting.entries[pending] {
                unused.close()
                waiting.entries[pending] = .turn(target)
            } else {
                waiting.entries.append(.turn(target))
            }
        }
    }

    /// Waits until all lines have been written; no longer than the limit, because the reader may never read.
    func flush(within limit: Duration) {
        let mark = Gate()
        add { waiting in
            waiting.noteGap()
            waiting.entries.append(.mark(mark))
        }
        mark.wait(within: limit)
    }

    private func add(_ change: (inout Waiting) -> Void) {
        let isFirst = waiting.withLock { waiting in
            let wasEmpty = waiting.entries.isEmpty
            change(&waiting)
            return wasEmpty && !waiting.entries.isEmpty
        }
        if isFirst { bell.open() }
    }

    private func work() {
        var target = first
        while true {
            bell.wait()
            let entries = waiting.withLock { waiting in
                waiting.noteGap()
                defer { (waiting.entries, waiting.bytes) = ([], 0) }
                return waiting.entries
            }
            for entry in entries {
                switch entry {
                case .line(let line, let level): if !target.write(line, level: level) { lost(1) }
                case .gap(let count): if !target.write(describeGap(count), level: .warning) { lost(count) }
                case .turn(let next):
                    target.close()
                    target = next
                case .mark(let mark): mark.open()
                }
            }
        }
    }

    /// Lines that the system would not take, because a disk is full or the reader has gone, are missed as those that had no room.
    private func lost(_ count: Int) {
        waiting.withLock { $0.dropped += count }
    }
}
