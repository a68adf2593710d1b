package import Foundation
import Twill

/// A program that a test runs: started, listened to, signalled, and waited for with a limit. One that is still there with the last reference is
/// killed.
///
/// Made with posix_spawn and waitpid. Foundation's `Process` learns of an end from a descriptor that children started at the same moment
/// inherit, so that of tests that run side by side one waits for the children of another.
package final class ChildProcess: Sendable {
    /// Far more than anything here takes on a busy machine.
    package static let patience: TimeInterval = 60

    /// A child that could not be started, or did not do in time what it was waited for.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(_ description: String) {
            self.description = description
        }
    }

    /// What is known of the child so far.
    package struct Observed: Sendable {
        /// What it said on standard output.
        package fileprivate(set) var output = ""
        /// What it said on standard error.
        package fileprivate(set) var errors = ""
        /// How it ended: its exit status, or less than zero for the signal that ended it. Nil while it runs.
        package fileprivate(set) var status: Int32?
        fileprivate var openPipes = 2

        /// Whether nothing more will come.
        package var isComplete: Bool { status != nil && openPipes == 0 }
    }

    package let pid: pid_t
    private let command: [String]
    private let observation = Observation()

    /// Starts a program, found on the path where its name has no slash, and hands it a text as standard input.
    package init(_ command: [String], input: String = "") throws {
        let (standardInput, standardOutput, standardError) = (try DescriptorPipe(), try DescriptorPipe(), try DescriptorPipe())
        let theirs = [standardInput.reading, standardOutput.writing, standardError.writing]
        defer { for end in theirs { close(end) } }
        self.command = command
        pid = try Self.spawn(command, theirs)
        observation.drain(standardOutput.reading, into: \.output)
        observation.drain(standardError.reading, into: \.errors)
        observation.reap(pid)
        try? FileHandle(fileDescriptor: standardInput.writing, closeOnDealloc: true).write(contentsOf: Data(input.utf8))
    }

    deinit {
        if observed.status == nil { kill(pid, SIGKILL) }
    }

    /// What is known of the child now.
    package var observed: Observed { observation.current }

    /// Sends a signal; nothing happens where the child has ended.
    package func send(_ signal: Int32) {
        if observed.status == nil { kill(pid, signal) }
    }

    /// Waits until something can be seen of the child, and returns it.
    package func wait<Result>(for what: String, until isThere: (Observed) -> Result?) throws -> Result {
        if let result = observation.wait(until: isThere) { return result }
        let observed = observed
        let status = observed.status.map { "ended with \($0)" } ?? "runs"
        throw Failure("waited in vain for \(what) of \(command.joined(separator: " ")), which \(status) and said '\(observed.errors)'")
    }

    /// Waits for the end of the child and of what it says.
    @discardableResult
    package func waitForEnd() throws -> Observed {
        try wait(for: "the end") { $0.isComplete ? $0 : nil }
    }

    private static func spawn(_ command: [String], _ standardDescriptors: [Int32]) throws -> pid_t {
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
        for (number, descriptor) in standardDescriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        // Tests run on threads that block signals and in a process that ignores SIGPIPE; the child shall know nothing of that.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var pipeOnly = none
        unsafe sigaddset(&pipeOnly, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &pipeOnly)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))

        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let result = unsafe posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw Failure("couldn't start \(command): errno \(result)") }
        return pid
    }
}

/// What three threads note down of a child: one for each of its outputs, one for its end.
// A condition guards the one variable.
private final class Observation: @unchecked Sendable {
    private let condition = NSCondition()
    private var observed = ChildProcess.Observed()

    var current: ChildProcess.Observed { change { $0 } }

    func drain(_ descriptor: Int32, into stream: any WritableKeyPath<ChildProcess.Observed, String> & Sendable) {
        Thread.detachNewThread { [self] in
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            while case let data = file.availableData, !data.isEmpty {
                change { $0[keyPath: stream] += String(decoding: data, as: UTF8.self) }
            }
            change { $0.openPipes -= 1 }
        }
    }

    func reap(_ pid: pid_t) {
        Thread.detachNewThread { [self] in
            var raw: Int32 = 0
            while unsafe waitpid(pid, &raw, 0) < 0, errno == EINTR {}
            let signal = raw & 0x7F
            change { [raw] in $0.status = signal == 0 ? raw >> 8 & 0xFF : -signal }
        }
    }

    private func change<Result>(_ body: (inout ChildProcess.Observed) -> Result) -> Result {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return body(&observed)
    }

    func wait<Result>(until isThere: (ChildProcess.Observed) -> Result?) -> Result? {
        let deadline = Date(timeIntervalSinceNow: ChildProcess.patience)
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let result = isThere(observed) { return result }
            guard !observed.isComplete, condition.wait(until: deadline) else { return nil }
        }
    }
}
