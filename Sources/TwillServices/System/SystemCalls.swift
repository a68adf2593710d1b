import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The calls of the system that the runner makes before and beside the reactors. Files of this folder are the only ones here that say `unsafe`.
enum System {
    static var lastError: CInt { errno }

    /// The call that just failed.
    static func failure(_ call: String) -> SystemError { SystemError(call: call, errno: errno) }

    static func close(_ descriptor: CInt) {
        #if canImport(Glibc)
        _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
        _ = Musl.close(descriptor)
        #else
        _ = Darwin.close(descriptor)
        #endif
    }

    /// Writes all of a text, and waits for whoever reads it; what the system refuses is dropped.
    @discardableResult
    static func write(_ text: String, to descriptor: CInt) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                // The bytes are lent for the length of this closure, and the call reads no further than they go.
                let count = unsafe systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[written...]))
                if count < 0, lastError == EINTR { continue }
                // Somebody who shares the descriptor may have said that nobody waits.
                if count < 0, lastError == EAGAIN, canWrite(to: descriptor, within: -1) { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
    }

    /// Says a sentence on standard error, unless its reader takes nothing for a second: the process wants to end.
    static func sayLast(_ text: String) {
        if canWrite(to: 2, within: 1000) { write(text, to: 2) }
    }

    /// Whether there is room for a page of text, or will be soon; without a limit where the milliseconds are negative.
    private static func canWrite(to descriptor: CInt, within milliseconds: CInt) -> Bool {
        var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // The call reads and fills one structure of this frame's own.
        return unsafe poll(&waited, 1, milliseconds) > 0 && waited.revents & Int16(POLLOUT) != 0
    }

    /// Reads what there is, to the end; at most so many bytes.
    static func readAll(_ descriptor: CInt, max limit: Int) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while all.count < limit {
            // The call fills no more than the buffer has.
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe systemRead(descriptor, $0) }
            if count < 0, lastError == EINTR { continue }
            guard count > 0 else { break }
            all += buffer[..<count]
        }
        return all
    }

    static func environment(_ name: String) -> String? {
        // The text is copied at once, before any thread is there that could change the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    static func forgetEnvironment(_ name: String) {
        // The call reads a text.
        _ = unsafe unsetenv(name)
    }

    static func setEnvironment(_ name: String, _ value: String) {
        // The call copies two texts.
        _ = unsafe setenv(name, value, 1)
    }

    static var processID: Int32 { getpid() }

    static var userID: UInt32 { geteuid() }

    /// Goes to a folder.
    static func changeFolder(_ path: String) throws(SystemError) {
        // The call reads a text, as the next one does.
        guard unsafe chdir(path) == 0 else { throw failure("chdir") }
    }

    static func changeRoot(_ path: String) throws(SystemError) {
        guard unsafe chroot(path) == 0 else { throw failure("chroot") }
    }

    static func setFileMask(_ mask: UInt16) {
        _ = umask(mode_t(mask))
    }

    static func beginSession() {
        _ = setsid()
    }

    static func endProcess(_ status: ExitStatus) -> Never {
        exit(status.rawValue)
    }

    /// Whether two descriptors are of one socket or file.
    static func isSame(_ one: CInt, _ other: CInt) -> Bool {
        var (first, second) = (stat(), stat())
        // Both calls fill structures of this frame's own.
        guard unsafe fstat(one, &first) == 0, unsafe fstat(other, &second) == 0 else { return false }
        return first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// Another descriptor of the same socket or file, which child processes don't get; nil where that can't be.
    static func copy(_ descriptor: CInt) -> CInt? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        return copy >= 0 ? copy : nil
    }

    /// Opens a file to append to it, which is made if it is not there. A pipe is not waited for: without a reader that is ENXIO.
    static func openLog(_ path: String) throws(SystemError) -> CInt {
        // The call reads a text.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else { throw failure("open") }
        // Whoever writes to it may wait.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return descriptor
    }

    /// Gives an open file to a user and a group.
    static func giveAway(_ descriptor: CInt, to user: UInt32, _ group: UInt32) {
        _ = fchown(descriptor, user, group)
    }

    /// The time of the clock that only goes forward, as a service manager compares it.
    static var monotonicMicroseconds: Int64 {
        var now = timespec()
        // The call fills a structure of this frame's own.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
    }

    /// The time of the wall clock as ISO 8601 writes it, in UTC and to the millisecond.
    static var timestamp: String {
        var now = timespec()
        // The call fills a structure of this frame's own.
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return timestamp(seconds: Int(now.tv_sec), milliseconds: Int(now.tv_nsec) / 1_000_000)
    }

    /// A moment, given in seconds since 1970, as ISO 8601 writes it.
    static func timestamp(seconds: Int, milliseconds: Int) -> String {
        func digits(_ number: Int, _ count: Int) -> String {
            let text = "\(number)"
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        // Years that begin in March have their leap day at the end, and 400 of them 146 097 days.
        let days = seconds / 86_400 + 719_468
        let (era, day) = (days / 146_097, days % 146_097)
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        let calendarYear = year + era * 400 + (calendarMonth <= 2 ? 1 : 0)
        let date = "\(digits(calendarYear, 4))-\(digits(calendarMonth, 2))-\(digits(dayOfMonth, 2))"
        let time = "\(digits(seconds / 3600 % 24, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
        return "\(date)T\(time).\(digits(milliseconds, 3))Z"
    }
}

// The C functions, under names that ``System`` does not use for its own.

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    // The caller lends the bytes for the length of the call.
    unsafe write(descriptor, bytes.baseAddress, bytes.count)
}

private func systemRead(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    // The caller lends the buffer for the length of the call.
    unsafe read(descriptor, buffer.baseAddress, buffer.count)
}
