#if os(Linux)
import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What a child does that counts what it has open: in the program of the tests, others open and close meanwhile.
@Suite("What a child of the tests of leaks does", .nothingLivesOn, .enabled(if: childRole != nil, "this is for children of other tests"))
struct ProcessLeakChild {
    private var descriptors: Set<String> {
        Set((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [])
    }

    /// Runs something on a reactor, whose own descriptors are open before and after; how many more are open then.
    private func growth(_ what: String, _ body: (LibeventReactor) throws -> Void) throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let before = descriptors
        try body(reactor)
        try reactor.runToStop(deadline: .seconds(60))
        // The thread of a pump may be about to close its file.
        for _ in 0..<2000 where descriptors.count > before.count { pauseThread(.milliseconds(1)) }
        let left = descriptors.subtracting(before)
        sayToParent("\(what): \(left.count) left")
    }

    @Test func leavesNothingOpenAsAChild() throws {
        // What the first reactor makes for the whole process is no leak.
        try growth("a start") { $0.stop() }
        try growth("200 children") { reactor in
            var left = 200
            for _ in 0..<200 {
                let child = ProcessRecorder()
                child.whenMade = { $0.transport.closeStdin() }
                child.whenEnded = { [unowned reactor] _ in
                    left -= 1
                    if left == 0 { reactor.stop() }
                }
                try reactor.spawnProcess(ProcessCommand("cat"), protocol: child)
            }
        }
        try growth("failures") { reactor in
            let commands = [
                ProcessCommand("no-such-program"), ProcessCommand("/etc/passwd"), ProcessCommand("cat", workingDirectory: "/no/such"),
                ProcessCommand("cat", arguments: ["\0"]),
                ProcessCommand("cat", descriptors: [0: .parentWrites, 1: .inherited(unusedDescriptor)]),
                ProcessCommand("cat", descriptors: [0: .parentWrites, 1: .parentReads, 999: .parentReads]),
            ]
            for command in commands {
                for _ in 0..<10 {
                    #expect(throws: ProcessError.self) { try reactor.spawnProcess(command, protocol: ProcessRecorder()) }
                    _ = try ProcessClientEndpoint(command).connect(ClientFactory { Recorder() }, on: reactor)
                }
            }
            reactor.afterTurns(10) { [unowned reactor] in reactor.stop() }
        }
        try growth("connections") { reactor in
            var left = 30
            for number in 0..<30 {
                let factory = RecordingClientFactory {
                    let recorder = Recorder()
                    recorder.whenMade = { if number % 2 == 0 { $0.transport.loseConnection() } else { $0.transport.abortConnection() } }
                    return recorder
                }
                factory.whenStopped = { [unowned reactor] in
                    left -= 1
                    if left == 0 { reactor.afterTurns(5) { [unowned reactor] in reactor.stop() } }
                }
                try reactor.connect(Endpoint("process:cat"), factory: factory)
            }
        }
        try growth("files") { reactor in
            for path in ["/etc/passwd", "/dev/null", "/dev/zero"] {
                let recorder = Recorder()
                recorder.whenData = { $0.transport.loseConnection() }
                try reactor.adoptStreamConnection(
                    over: PipeBinding(input: systemOpen(path, O_RDONLY), output: systemOpen("/dev/null", O_WRONLY)), protocol: recorder)
            }
            reactor.when({ [unowned reactor] in reactor.openCount == 0 }, then: { [unowned reactor] in reactor.stop() })
        }
        try growth("a stop") { reactor in
            for _ in 0..<10 { try reactor.spawnProcess(ProcessCommand("cat"), protocol: ProcessRecorder()) }
            try reactor.connect(Endpoint("process:cat"), factory: ClientFactory { Recorder() })
            reactor.afterTurns(3) { [unowned reactor] in reactor.stop() }
        }
        for _ in 0..<5000 where !children.isEmpty { pauseThread(.milliseconds(1)) }
        sayToParent("children: \(children.count) left")
        try ignoreChildren()
        try runOutOfDescriptors()
        exit(0)
    }

    /// The numbers of the children that the system knows, those that have ended too.
    private var children: [Substring] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return tasks.flatMap { task in
            ((try? String(contentsOfFile: "/proc/self/task/\(task)/children", encoding: .utf8)) ?? "").split(separator: " ")
        }
    }

    private func ignoreChildren() throws {
        _ = signal(SIGCHLD, SIG_IGN)
        let child = try withProcess(shell("exit 3"))
        sayToParent("ignored: \(child.turns.last == .ended(ProcessEnd(.unknown)))")
        _ = signal(SIGCHLD, SIG_DFL)
    }

    private func runOutOfDescriptors() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let highest = descriptors.compactMap { Int($0) }.max() ?? 0
        // Room for one pipe, and not for two.
        limit.rlim_cur = rlim_t(highest + 3)
        var fillers: [CInt] = []
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        while case let filler = systemOpen("/dev/null", O_RDONLY), filler >= 0 { fillers.append(filler) }
        for filler in fillers.suffix(3) { systemClose(filler) }
        do {
            try reactor.spawnProcess(ProcessCommand("cat"), protocol: ProcessRecorder())
            sayToParent("without descriptors: started")
        } catch {
            sayToParent("without descriptors: \(error)")
        }
        var free = 0
        while systemOpen("/dev/null", O_RDONLY) >= 0 { free += 1 }
        sayToParent("without descriptors: \(free) free")
    }
}

@Suite("What processes leave behind", .nothingLivesOn) struct ProcessLeakTests {
    @Test func nothingStaysOpenWhateverBecomesOfThem() throws {
        var command = thisProgram(as: "leaks", test: "leavesNothingOpenAsAChild")
        command.descriptors = [2: .parentReads]
        let child = try withProcess(command, deadline: .seconds(120))
        #expect(child.end?.isClean == true, "\(child.text(2))")
        let lines = child.text(2).split(separator: "\n").filter { $0.hasPrefix("role ") }.map { $0.dropFirst(5) }
        for what in ["200 children", "connections", "files", "a stop", "children"] {
            #expect(lines.contains("\(what): 0 left"), "\(lines)")
        }
        #expect(lines.contains("failures: 0 left"), "\(lines)")
        #expect(lines.contains("ignored: true"), "\(lines)")
        #expect(
            lines.contains(
                "without descriptors: Couldn't start cat: no descriptors are left for its pipes; raise the limit (ulimit -n) or close some"),
            "\(lines)")
        #expect(lines.contains("without descriptors: 3 free"), "\(lines)")
    }
}
#endif
