import Foundation

/// How much CPU time each thread of a server has had, and for how long it could have run and had to wait for a core. Linux only.
struct ThreadTimes {
    /// By the number of the thread, in microseconds.
    private let threads: [Int: (ran: Double, waited: Double)]

    /// What the server's threads have had until now (`/proc/PID/task/TID/schedstat`).
    init(of server: ServerProcess) throws {
        let folder = "/proc/\(server.pid)/task"
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw BenchError.failed("couldn't read the threads of \(server.name), process \(server.pid); has it ended?")
        }
        threads = names.reduce(into: [:]) { threads, name in
            // Nanoseconds on a core, and nanoseconds in the queue for one.
            let text = (try? String(contentsOfFile: "\(folder)/\(name)/schedstat", encoding: .utf8)) ?? ""
            let numbers = text.split(separator: " ").compactMap { Double($0) }
            if let thread = Int(name), numbers.count >= 2 { threads[thread] = (numbers[0] / 1e3, numbers[1] / 1e3) }
        }
    }

    /// What those threads have had since an earlier moment that were on a core for more than a hundredth of the time: the reactors.
    func busyThreads(since earlier: ThreadTimes, over seconds: Double) -> [(ran: Double, waited: Double)] {
        threads.compactMap { thread, times in
            let before = earlier.threads[thread] ?? (0, 0)
            let (ran, waited) = (times.ran - before.ran, times.waited - before.waited)
            return ran > seconds * 1e4 ? (ran / 1e6 / seconds, waited / 1e6 / seconds) : nil
        }
    }
}
