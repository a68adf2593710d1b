import Synchronization
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file with the number of the process, which is locked for as long as the process lives: what says that the program runs is the lock and
/// not the number, which may be somebody else's by now.
///
/// Nothing is changed, and nothing removed, that is not known to be a pid file nobody needs any more.
final class PIDFile: Sendable {
    /// More than any number has digits.
    private static let bytesMax = 64

    private let path: String
    private let descriptor: CInt
    private let wasHandedOver = Atomic(false)

    /// Makes the file, or takes over one that was left behind.
    ///
    /// - Throws: ``RunnerFailure``: somebody holds the lock; it is no file, or a link; it holds something else than a number; it holds the number
    ///   of a process that may have written it, without holding the lock.
    init(_ path: String) throws(RunnerFailure) {
        self.path = path
        while true {
            // Never through a link, and without waiting for whoever reads a pipe.
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o644)
            guard descriptor >= 0 else { throw Self.cannotOpen(path, System.failure("open")) }
            do {
                try Self.lock(descriptor, path)
            } catch {
                System.close(descriptor)
                throw error
            }
            // Whoever held it before may have removed it between the two calls; then this is the lock of nothing.
            guard Self.isSame(descriptor, path) else {
                System.close(descriptor)
                continue
            }
            self.descriptor = descriptor
            do {
                try checkAbandoned()
            } catch {
                System.close(descriptor)
                throw error
            }
            break
        }
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0, System.write("\(System.processID)\n", to: descriptor)
        else {
            let error = System.failure("write")
            System.close(descriptor)
            throw RunnerFailure("Couldn't write the pid file \(path)", error)
        }
    }

    /// Takes the file away, unless another one is in its place; where this user may not do that, empties it.
    func remove() {
        guard !wasHandedOver.load(ordering: .relaxed) else { return }
        if Self.isSame(descriptor, path), unsafe unlink(path) == 0 {
            System.close(descriptor)
            return
        }
        _ = ftruncate(descriptor, 0)
        System.close(descriptor)
    }

    /// Lets another process have it: empties it, and gives the lock up. Nothing is left for ``remove()`` to do.
    func handOver() {
        guard !wasHandedOver.exchange(true, ordering: .relaxed) else { return }
        _ = ftruncate(descriptor, 0)
        System.close(descriptor)
    }

    private static func cannotOpen(_ path: String, _ error: SystemError) -> RunnerFailure {
        switch error.errno {
        case ELOOP: RunnerFailure(.configuration, "The pid file \(path) is a link: give the path of the file itself")
        case EISDIR: RunnerFailure(.configuration, "The pid file \(path) is a folder: give the path of a file")
        case ENOENT, ENOTDIR: RunnerFailure(.cannotCreate, "The folder of the pid file \(path) does not exist: make it")
        default: RunnerFailure("Couldn't open the pid file \(path)", error)
        }
    }

    private static func lock(_ descriptor: CInt, _ path: String) throws(RunnerFailure) {
        var status = stat()
        // The call fills a structure of this frame's own.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw RunnerFailure(.configuration, "The pid file \(path) is no file: give the path of one")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let number = content(descriptor).flatMap(number)
            throw RunnerFailure(
                .unavailable,
                "It runs already\(number.map { " as process \($0)" } ?? ""), which holds the pid file \(path): stop that one first")
        }
    }

    private static func isSame(_ descriptor: CInt, _ path: String) -> Bool {
        var (own, found) = (stat(), stat())
        // Both calls fill structures of this frame's own.
        guard unsafe fstat(descriptor, &own) == 0, unsafe lstat(path, &found) == 0 else { return false }
        return own.st_ino == found.st_ino && own.st_dev == found.st_dev
    }

    private static func content(_ descriptor: CInt) -> [UInt8]? {
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { return nil }
        return System.readAll(descriptor, max: bytesMax + 1)
    }

    private static func number(_ content: [UInt8]) -> Int32? {
        guard content.count <= bytesMax else { return nil }
        let text = String(decoding: content, as: UTF8.self)
        let digits = text.drop { $0 == " " }.prefix { $0 != "\n" && $0 != " " }
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            text.dropFirst(digits.count).allSatisfy({ $0 == "\n" || $0 == " " }), let number = Int32(digits), number > 0
        else { return nil }
        return number
    }

    /// Throws where the file holds something that somebody may need.
    private func checkAbandoned() throws(RunnerFailure) {
        guard let content = Self.content(descriptor), !content.isEmpty else { return }
        guard let number = Self.number(content) else {
            throw RunnerFailure(
                .configuration,
                "The pid file \(path) holds something that is no process's number, and stays: remove it, or choose another path")
        }
        guard number != System.processID, kill(number, 0) == 0 || System.lastError == EPERM, mayHaveWritten(number) else { return }
        throw RunnerFailure(
            .unavailable,
            "The pid file \(path) belongs to process \(number), which runs and is another program's: choose another path, or stop that one")
    }

    /// Whether a process that runs was there already when the file was written. One that began later has a number that became free.
    private func mayHaveWritten(_ number: Int32) -> Bool {
        var status = stat()
        // The call fills a structure of this frame's own.
        guard unsafe fstat(descriptor, &status) == 0, let began = ProcessTimes.start(of: number) else { return true }
        #if canImport(Darwin)
        let written = Int(status.st_mtimespec.tv_sec)
        #else
        let written = Int(status.st_mtim.tv_sec)
        #endif
        // Both are known to the second.
        return began <= written + 1
    }
}

/// When processes began.
private enum ProcessTimes {
    /// In seconds since 1970; nil where that can't be found out.
    static func start(of process: Int32) -> Int? {
        #if os(Linux) || os(Android)
        guard let status = read("/proc/\(process)/stat"), let boot = bootTime else { return nil }
        // The name in parentheses may hold anything; behind it the fields are numbers, the first of them the third of all.
        let fields = status[(status.lastIndex(of: ")") ?? status.startIndex)...].split(separator: " ")
        guard fields.count > 20, let ticks = Int(fields[20]) else { return nil }
        return boot + ticks / max(1, sysconf(CInt(_SC_CLK_TCK)))
        #else
        return nil
        #endif
    }

    private static var bootTime: Int? {
        read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Int($0.dropFirst(6)) }
    }

    private static func read(_ path: String) -> String? {
        // The call reads a text.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { System.close(descriptor) }
        return String(decoding: System.readAll(descriptor, max: 1 << 20), as: UTF8.self)
    }
}
