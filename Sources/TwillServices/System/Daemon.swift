import CServices
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A program that goes into the background: it is started once more, by `posix_spawn`, in a session of its own and without a terminal, and what
/// was started first waits until the other one serves, or says why not.
///
/// Starting anew copies no thread, lock or buffer, as `fork` would half of each; so it does not matter what the program did before.
enum Daemon {
    /// Under this name the environment tells the second one where the first one listens.
    private static let variable = "TWILL_DAEMON_STATUS"
    /// More than any sentence has bytes.
    private static let sentenceBytesMax = 64 << 10

    /// How the second one tells the first one what became of the start.
    final class Report: Sendable {
        private let descriptor: CInt

        fileprivate init(_ descriptor: CInt) {
            self.descriptor = descriptor
        }

        /// Says that it serves. It is said once, or else a failure is.
        func succeeded() { tell("0\n") }

        func failed(_ failure: RunnerFailure) { tell("\(failure.status.rawValue)\n\(failure)") }

        private func tell(_ text: String) {
            System.write(text, to: descriptor)
            System.close(descriptor)
        }
    }

    /// Whether this process is the second one; asked once. It leaves the first one's session.
    static func report() -> Report? {
        guard let text = System.environment(variable) else { return nil }
        System.forgetEnvironment(variable)
        var status = stat()
        // Somebody else's variable is not believed. The call fills a structure of this frame's own.
        guard let descriptor = CInt(text), descriptor > 2, unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
            return nil
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        System.beginSession()
        return Report(descriptor)
    }

    /// Starts the second one, and waits until it serves.
    ///
    /// - Throws: ``RunnerFailure``: what the second one says; that it ended without a word.
    static func start() throws(RunnerFailure) {
        var ends: (CInt, CInt) = (-1, -1)
        // The call fills two numbers of this frame's own.
        let failed = unsafe withUnsafeMutableBytes(of: &ends) { unsafe pipe($0.assumingMemoryBound(to: CInt.self).baseAddress) != 0 }
        if failed { throw RunnerFailure("Couldn't go into the background", System.failure("pipe")) }
        let (reading, writing) = ends
        defer { System.close(reading) }
        _ = fcntl(reading, F_SETFD, FD_CLOEXEC)
        System.setEnvironment(variable, "\(writing)")
        let child: pid_t
        do {
            defer { System.close(writing) }
            child = try spawn()
        } catch {
            throw RunnerFailure("Couldn't go into the background", error)
        }
        let answer = String(decoding: System.readAll(reading, max: sentenceBytesMax), as: UTF8.self)
        let parts = answer.split(separator: "\n", maxSplits: 1)
        guard let first = parts.first, let status = Int32(first) else { throw endedInSilence(child) }
        if status != 0 { throw RunnerFailure(ExitStatus(rawValue: status), parts.count > 1 ? String(parts[1]) : "It did not start") }
    }

    private static func endedInSilence(_ child: pid_t) -> RunnerFailure {
        var raw: CInt = 0
        // The call fills a number of this frame's own.
        while unsafe waitpid(child, &raw, 0) < 0, System.lastError == EINTR {}
        let signal = raw & 0x7F
        let end = signal == 0 ? "with status \(raw >> 8 & 0xFF)" : "with signal \(signal)"
        return RunnerFailure(.software, "It ended \(end) before it served; its log may say more")
    }

    private static func spawn() throws(SystemError) -> pid_t {
        guard let program = executable else { throw SystemError(call: "readlink", errno: ENOENT) }
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        // These calls fill, read and give back two structures of this frame's own.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        for descriptor in [CInt(0), 1, 2] {
            unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        // The texts are copies of this frame's own, freed when the call has returned.
        var arguments = unsafe CommandLine.arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let result = unsafe posix_spawn(&child, program, &actions, &attributes, &arguments, twill_environment())
        guard result == 0 else { throw SystemError(call: "posix_spawn", errno: result) }
        return child
    }

    /// The file of this program.
    private static var executable: String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        #if canImport(Darwin)
        var size = UInt32(buffer.count)
        // The call writes no more than the buffer has.
        guard unsafe _NSGetExecutablePath(&buffer, &size) == 0 else { return nil }
        let count = buffer.firstIndex(of: 0) ?? buffer.count
        #else
        // The call writes no more than the buffer has.
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return nil }
        #endif
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
