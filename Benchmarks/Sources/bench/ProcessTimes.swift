import Foundation

/// How much CPU time a server has had so far. Linux only.
enum ProcessTimes {
    /// The name of the clock, for reports.
    static let clockName = "process CPU clock (clock_getcpuclockid: user and system time of all threads, in nanoseconds)"

    /// User and system time of all threads since the process began, in microseconds.
    ///
    /// The process's CPU clock, because utime and stime in /proc/PID/stat tick a hundred times a second, and /proc/PID/schedstat
    /// knows only the first thread.
    static func cpuMicroseconds(of server: ServerProcess) throws -> Double {
        #if os(Linux)
        var clock = clockid_t()
        var time = timespec()
        let result = clock_getcpuclockid(server.pid, &clock)
        guard result == 0, clock_gettime(clock, &time) == 0 else {
            throw BenchError.failed("couldn't read the CPU clock of \(server.name), process \(server.pid); has it ended?")
        }
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
        #else
        throw BenchError.unavailable("bench reads another process's CPU clock, which only Linux has; run it there")
        #endif
    }
}
