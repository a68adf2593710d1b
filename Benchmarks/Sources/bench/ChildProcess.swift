import Foundation

/// A program that bench runs: its outputs are drained, and it is ended when bench is done with it.
///
/// Made with posix_spawn rather than Foundation's Process, because a child must not inherit the signals that bench blocks or ignores: a server that
/// never sees SIGTERM cannot end well.
final class ChildProcess {
    let name: String
    let pid: pid_t
    let output: OutputCollector
    let errors: OutputCollector
    private var status: WaitStatus?

    /// Starts `command`, a path and its arguments. `name` is what error messages call it.
    init(_ command: [String], name: String) throws {
        self.name = name
        let outputPipe = try ChildProcess.makePipe()
        let errorPipe = try ChildProcess.makePipe()
        defer {
            close(outputPipe.writing)
            close(errorPipe.writing)
        }
        output = OutputCollector(draining: outputPipe.reading)
        errors = OutputCollector(draining: errorPipe.reading)
        pid = try ChildRegistry.add {
            try ChildProcess.spawn(command, name: name, output: outputPipe.writing, errors: errorPipe.writing)
        }
    }

    deinit {
        kill()
    }

    /// How the child ended, or nil while it runs.
    func poll() -> WaitStatus? {
        if status == nil { status = ChildRegistry.reap(pid) }
        return status
    }

    /// Waits for the child to end by itself. One that takes longer is killed, and that is an error.
    func waitForEnd(atMost seconds: Double) throws -> WaitStatus {
        _ = waitUntil(atMost: seconds) { poll() != nil }
        if let status { return status }
        kill()
        throw BenchError.failed("\(name) was still running after \(seconds.formatted(digits: 0)) s and was killed; \(lastWords)")
    }

    /// Asks the child to end, and waits until it has.
    func terminate(atMost seconds: Double = 10) throws -> WaitStatus {
        if poll() == nil { ChildRegistry.kill(pid, SIGTERM) }
        return try waitForEnd(atMost: seconds)
    }

    private func kill() {
        guard poll() == nil else { return }
        ChildRegistry.kill(pid, SIGKILL)
        _ = waitUntil(atMost: 5) { poll() != nil }
    }

    /// What the child said on standard error, for an error message: its last line that holds a word.
    var lastWords: String {
        let lines = errors.text.split(whereSeparator: \.isNewline)
        guard let last = lines.last(where: { $0.contains(where: \.isLetter) }) else { return "it said nothing on standard error" }
        return "its last words: \(last)"
    }
}

extension ChildProcess {
    /// Both ends close on exec, so that a child holds only what it is given.
    private static func makePipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw BenchError.failed("couldn't make a pipe: \(systemMessage(errno))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ command: [String], name: String, output: Int32, errors: Int32) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)

        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var ignored = none
        sigaddset(&ignored, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &ignored)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))

        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, command[0], &actions, &attributes, &arguments, environ)
        guard result == 0 else {
            throw BenchError.failed("couldn't start \(name), `\(command.joined(separator: " "))`: \(systemMessage(result))")
        }
        return pid
    }
}

/// The system's words for an error number.
func systemMessage(_ number: Int32) -> String {
    String(cString: strerror(number))
}
