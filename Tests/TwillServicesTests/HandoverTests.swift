import ChildProcess
import Foundation
import Synchronization
import Testing

#if os(Linux)
@Suite("A hand-over", .timeLimit(.minutes(5)))
struct HandoverTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func start(_ more: String...) throws -> ProbeProcess {
        try ProbeProcess(["--handover", "handover", "--pidfile", "pid"] + more, in: folder)
    }

    private func waitUntilServing(_ probe: ProbeProcess) throws {
        try probe.process.wait(for: "serving") { $0.errors.contains("probe serves") ? () : nil }
    }

    /// Connects again and again, says a line and hears it; every failure counts.
    private final class Load: Sendable {
        struct Counts {
            var done = 0
            var failures: [String] = []
            var isOver = false
            var running = 0
        }

        private let counts = Mutex(Counts())

        func begin(port: Int, threads: Int) {
            for _ in 0..<threads {
                counts.withLock { $0.running += 1 }
                Thread.detachNewThread { [self] in
                    while !counts.withLock({ $0.isOver }) {
                        let problem: String?
                        do {
                            problem = try LineClient(port: port).ask("hello") == "hello" ? nil : "no answer"
                        } catch {
                            problem = "\(error)"
                        }
                        counts.withLock { counts in
                            counts.done += 1
                            if let problem { counts.failures.append(problem) }
                        }
                    }
                    counts.withLock { $0.running -= 1 }
                }
            }
        }

        var done: Int { counts.withLock { $0.done } }

        func end() throws -> Counts {
            counts.withLock { $0.isOver = true }
            try wait { counts.withLock { $0.running } == 0 }
            return counts.withLock { $0 }
        }
    }

    @Test(arguments: ["1", "2"]) func nobodyIsRefusedWhileProcessesFollowEachOther(reactors: String) throws {
        var current = try start("--reactors", reactors)
        let port = try current.port()
        let load = Load()
        load.begin(port: port, threads: 2)
        let busy = try LineClient(port: port)
        #expect(busy.ask("hello") == "hello")
        busy.send("slow 1")
        for number in 0..<3 {
            let before = load.done
            try wait { load.done > before + 200 }
            let next = try start("--reactors", reactors)
            try waitUntilServing(next)
            if number == 0 {
                // What was under way is finished by the process that began it.
                #expect(busy.next() == "done")
            }
            let end = try current.process.waitForEnd()
            #expect(end.status == 0)
            #expect(end.errors.contains("another process has taken over"))
            #expect(folder.text("pid") == "\(next.process.pid)\n")
            current = next
        }
        let counts = try load.end()
        #expect(counts.failures == [])
        #expect(counts.done > 600)
        #expect(try LineClient(port: port).ask("hello") == "hello")
        current.process.send(SIGTERM)
        let end = try current.process.waitForEnd()
        #expect(end.status == 0 && !end.errors.contains(" error "), "\(end.errors)")
        #expect(folder.names == [])
    }

    @Test func oneThatDiesBeforeItServesChangesNothing() throws {
        let current = try start()
        let port = try current.port()
        let failed = try start("--fail", "start").process.waitForEnd()
        #expect(failed.status == 78)
        let crashed = try ProbeProcess(
            ["--handover", "handover", "--fail", "crash"], in: folder, environment: ["SWIFT_BACKTRACE": "enable=no"]
        ).process.waitForEnd()
        #expect((crashed.status ?? 0) < 0)
        #expect(try LineClient(port: port).ask("hello") == "hello")
        #expect(folder.text("pid") == "\(current.process.pid)\n")
        #expect(current.process.observed.status == nil)
        current.process.send(SIGTERM)
        #expect(try current.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }

    @Test func socketFilesStayForTheNextProcess() throws {
        let socket = folder.path("socket")
        let first = try start("--listen", "unix:\(socket)")
        try waitUntilServing(first)
        let second = try start("--listen", "unix:\(socket)")
        try waitUntilServing(second)
        #expect(try first.process.waitForEnd().status == 0)
        #expect(folder.names.contains("socket"))
        second.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
        // The lock was the first one's, which has left it for good.
        #expect(folder.names == ["socket.lock"])
    }

    @Test func whoAnswersOtherwiseEndsTheStart() throws {
        // A server of lines that is no hand-over.
        let other = try ProbeProcess(["--listen", "unix:\(folder.path("handover"))"], in: folder)
        try waitUntilServing(other)
        let end = try start().process.waitForEnd()
        #expect(end.status == 69)
        #expect(end.errors.contains("The process at handover did not hand over its sockets"))
        other.process.send(SIGTERM)
        try other.process.waitForEnd()
    }
}
#endif
