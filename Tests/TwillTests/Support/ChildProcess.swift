import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A program in a process of its own, with a pipe from its output and one to its input; killed when this object goes.
///
/// Foundation's `Process` hands on the signals that the starting thread blocks, and the threads of tests block all of them: such a child
/// would never hear SIGTERM.
final class ChildProcess {
    /// Two children at once could otherwise inherit each other's pipes, and neither would see its end.
    private static let startsOne = Mutex(())

    let id: pid_t
    private let output: CInt
    private var input: CInt
    private var status: CInt?

    /// Starts a program of the path.
    init(_ arguments: [String], mergingErrors: Bool = false) throws {
        (id, output, input) = try Self.startsOne.withLock { _ in
            let (fromChild, childWrites) = try Self.makePipe()
            let (childReads, toChild) = try Self.makePipe()
            defer {
                close(childWrites)
                close(childReads)
            }
            do {
                let id = try Self.spawn(arguments, input: childReads, output: childWrites, mergingErrors: mergingErrors)
                return (id, fromChild, toChild)
            } catch {
                close(fromChild)
                close(toChild)
                throw error
            }
        }
    }

    deinit {
        if status == nil {
            kill(id, SIGKILL)
            _ = wait()
        }
        close(output)
        closeInput()
    }

    private static func makePipe() throws -> (reading: CInt, writing: CInt) {
        var ends: [CInt] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw CallFailure("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ arguments: [String], input: CInt, output: CInt, mergingErrors: Bool) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        if mergingErrors { unsafe posix_spawn_file_actions_adddup2(&actions, output, 2) }
        var nothingBlocked = sigset_t()
        unsafe sigemptyset(&nothingBlocked)
        unsafe posix_spawnattr_setsigmask(&attributes, &nothingBlocked)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var id: pid_t = 0
        let error = unsafe posix_spawnp(&id, arguments[0], &actions, &attributes, &words, environ)
        guard error == 0 else { throw CallFailure("posix_spawnp \(arguments[0])", error) }
        return id
    }

    /// Reads one line of its output, without the line's end; what there is of it where the output ends before.
    func readLine() -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while unsafe read(output, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    /// Reads its output to the end.
    func readToEnd() -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(output, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// Gives it its whole input.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(input, bytes, bytes.count)
        closeInput()
    }

    private func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// Waits for its end; its exit status, or -1 where a signal ended it.
    func wait() -> CInt {
        if let status { return status }
        var raw: CInt = 0
        while unsafe waitpid(id, &raw, 0) < 0, errno == EINTR {}
        let ended = raw & 0x7F == 0 ? raw >> 8 & 0xFF : -1
        status = ended
        return ended
    }

    /// Asks it to end with SIGTERM, and waits for that.
    func terminate() -> CInt {
        kill(id, SIGTERM)
        return wait()
    }
}

/// Runs a program to its end.
func output(of arguments: [String], input: String = "") throws -> (status: CInt, text: String) {
    let child = try ChildProcess(arguments, mergingErrors: true)
    child.send(input)
    let text = child.readToEnd()
    return (child.wait(), text)
}
