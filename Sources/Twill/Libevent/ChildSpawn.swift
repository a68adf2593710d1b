import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Starts a program by `posix_spawn`, which copies nothing of this process and runs none of its code in the child.
///
/// It holds the descriptors of this process that the child gets, and closes those that it has opened. Nothing is left of it when it is gone.
struct ChildSpawn: ~Copyable {
    private let command: ProcessCommand
    /// What becomes the child's, by the child's numbers.
    private var given: [CInt: CInt] = [:]
    /// What was opened here and is the child's alone.
    private var opened: [CInt] = []

    init(_ command: ProcessCommand) {
        self.command = command
    }

    deinit {
        for descriptor in opened { systemClose(descriptor) }
    }

    /// Makes a pipe for one of the child's descriptors; this process's end of it, which is the caller's.
    mutating func makePipe(to descriptor: CInt, childReads: Bool) throws(ProcessError) -> CInt {
        let pipe: DescriptorPipe
        do throws(SystemError) { pipe = try DescriptorPipe() } catch { throw failure(error) }
        let (theirs, ours) = childReads ? (pipe.reading, pipe.writing) : (pipe.writing, pipe.reading)
        opened.append(theirs)
        given[descriptor] = theirs
        return ours
    }

    /// Hands a descriptor of this process down.
    mutating func give(_ own: CInt, as descriptor: CInt) throws(ProcessError) {
        guard systemIsOpen(own) else {
            throw ProcessError.badDescriptor.of(
                command.executable, "descriptor \(own), which it was to inherit as \(descriptor), is not open")
        }
        given[descriptor] = own
    }

    /// Starts the program; its number.
    mutating func start() throws(ProcessError) -> CInt {
        try checkTexts()
        try moveAway()
        var number: CInt = -1
        var status: CInt = 0
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        // Both live until this call returns; everything that they are told is copied.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        let last = max(2, given.keys.max() ?? 2)
        for descriptor in 0...last {
            if let own = given[descriptor] {
                status |= unsafe posix_spawn_file_actions_adddup2(&actions, own, descriptor)
            } else if descriptor <= 2 {
                status |= unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
            } else if Self.closeFlag == 0 {
                status |= unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
            }
        }
        status |= unsafe twill_spawn_close_from(&actions, last + 1)
        if let folder = command.workingDirectory { status |= unsafe twill_spawn_folder(&actions, folder) }
        unsafe prepare(&attributes)
        guard status == 0 else { throw failure(SystemError(call: "posix_spawn_file_actions", errno: status)) }

        let arguments = [command.name ?? command.executable] + command.arguments
        status = unsafe Self.withTexts(arguments) { arguments in
            unsafe Self.withTexts(environment) { environment in
                // A name with a slash is a path, any other is looked for in PATH.
                unsafe posix_spawnp(&number, command.executable, &actions, &attributes, arguments, environment)
            }
        }
        guard status == 0 else { throw failure(SystemError(call: "posix_spawn", errno: status)) }
        return number
    }

    #if canImport(Darwin)
    private typealias Attributes = posix_spawnattr_t?
    /// Makes the child the leader of a session of its own.
    private static let sessionFlag = CShort(POSIX_SPAWN_SETSID)
    /// Closes every descriptor in the child that it was not given.
    private static let closeFlag = CShort(POSIX_SPAWN_CLOEXEC_DEFAULT)
    #else
    private typealias Attributes = posix_spawnattr_t
    /// `POSIX_SPAWN_SETSID`, which the header shows under `_GNU_SOURCE` only.
    private static let sessionFlag: CShort = 0x80
    /// There is no such flag: `twill_spawn_close_from` does it.
    private static let closeFlag: CShort = 0
    #endif

    /// No signal is blocked, and each is as by default, in a child of a process that may have done both.
    private func prepare(_ attributes: UnsafeMutablePointer<Attributes>) {
        var signals = sigset_t()
        // Each call reads or fills a structure of this frame's own, or the one that is lent.
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(attributes, &signals)
        unsafe sigfillset(&signals)
        // Nobody can change these two, and some systems refuse to be asked.
        unsafe sigdelset(&signals, SIGKILL)
        unsafe sigdelset(&signals, SIGSTOP)
        unsafe posix_spawnattr_setsigdefault(attributes, &signals)
        var flags = CShort(POSIX_SPAWN_SETSIGMASK) | CShort(POSIX_SPAWN_SETSIGDEF) | Self.closeFlag
        switch command.group {
        case .shared: break
        case .own:
            unsafe posix_spawnattr_setpgroup(attributes, 0)
            flags |= CShort(POSIX_SPAWN_SETPGROUP)
        case .ownSession: flags |= Self.sessionFlag
        }
        unsafe posix_spawnattr_setflags(attributes, flags)
    }

    /// Moves what the child gets out of the way of its numbers, so that no copy lands on what is still to be copied.
    private mutating func moveAway() throws(ProcessError) {
        let last = max(2, given.keys.max() ?? 2)
        for (descriptor, own) in given where own <= last {
            let moved = fcntl(own, F_DUPFD_CLOEXEC, last + 1)
            guard moved >= 0 else { throw failure(SystemError(call: "fcntl")) }
            opened.append(moved)
            given[descriptor] = moved
        }
    }

    private var environment: [String] {
        switch command.environment {
        case .only(let variables): return variables.map { "\($0)=\($1)" }
        case .inherited(let added, let removed):
            var lines: [String] = []
            // The array ends with a nil; who changes the environment from another thread meanwhile has been warned by the system's manual.
            guard var next = unsafe twill_environment() else { return added.map { "\($0)=\($1)" } }
            while let line = unsafe next.pointee {
                lines.append(unsafe String(cString: line))
                unsafe next += 1
            }
            lines.removeAll { line in
                let name = String(line.prefix { $0 != "=" })
                return added[name] != nil || removed.contains(name)
            }
            return lines + added.map { "\($0)=\($1)" }
        }
    }

    /// Refuses what C would cut off or misread.
    private func checkTexts() throws(ProcessError) {
        var texts = [("the program's name", command.executable), ("the working directory", command.workingDirectory ?? "")]
        texts += command.arguments.enumerated().map { ("argument \($0 + 1)", $1) } + [("the name", command.name ?? "")]
        let variables =
            switch command.environment {
            case .only(let variables): variables
            case .inherited(let added, _): added
            }
        for (name, value) in variables {
            guard !name.isEmpty, !name.contains("=") else {
                throw ProcessError.badArgument.of(command.executable, "the name of the variable '\(name)' is empty or holds an =")
            }
            texts += [("the name of a variable", name), ("the variable \(name)", value)]
        }
        for (what, text) in texts where text.utf8.contains(0) {
            throw ProcessError.badArgument.of(command.executable, "\(what) holds a NUL character")
        }
        if command.executable.isEmpty { throw ProcessError.notFound.of("", "", because: SystemError(call: "posix_spawn", errno: ENOENT)) }
    }

    private func failure(_ error: SystemError) -> ProcessError {
        if let folder = command.workingDirectory, !systemCanEnter(folder) {
            return ProcessError.badWorkingDirectory.of(command.executable, folder, because: error)
        }
        return ProcessError.spawning(error).of(command.executable, because: error)
    }

    /// Lends texts as C has them: an array of pointers, with a nil at its end.
    private static func withTexts<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        // The copies live until the call has returned.
        let copies: [UnsafeMutablePointer<CChar>?] = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe copies.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("an array with a nil in it is not empty") }
            return unsafe body(start)
        }
    }
}
