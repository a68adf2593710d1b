import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Each in a process of its own, because signals, descriptors and threads are the whole process's.
@Suite("Running a reactor in a process of its own", .nothingLivesOn)
struct RunningProcessTests {
    @Test func aSignalStopsIt() async {
        for number in [SIGINT, SIGTERM] {
            await #expect(processExitsWith: .success) { [number = number as CInt] in
                let events = Shared<[String]>([])
                try await LibeventReactor.run { reactor in
                    reactor.addSystemEventTrigger(.during, .shutdown) { events.value.append("shutdown") }
                    reactor.callLater(.seconds(10)) { exit(3) }
                    kill(getpid(), number)
                    try await reactor.waitUntilStopped()
                    events.value.append("body")
                }
                try #require(events.value == ["body", "shutdown"])
            }
        }
    }

    @Test func aSignalStopsAllThatRun() async {
        await #expect(processExitsWith: .success) {
            let running = Counter()
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask { @Sendable in
                        try await LibeventReactor.run { reactor in
                            reactor.callLater(.seconds(10)) { exit(3) }
                            if running.add() == 4 { kill(getpid(), SIGTERM) }
                            try await reactor.sleep(for: .seconds(1000))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func signalsAreLeftAloneWhereItWasToldTo() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            try await LibeventReactor.run(installSignalHandlers: false) { reactor in
                kill(getpid(), SIGTERM)
                try await reactor.sleep(for: .seconds(10))
            }
        }
    }

    #if os(Linux)
    /// What this process has open.
    private static var descriptors: [String] {
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return numbers.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
    }

    /// How many entries a folder of the system's about this process has.
    private static func count(_ folder: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(folder)").count) ?? -1
    }

    @Test func neitherThreadsNorDescriptorsAreLeft() async {
        await #expect(processExitsWith: .success) {
            struct Refusal: Error {}
            var (threads, descriptors) = (0, 0)
            for round in 0..<120 {
                let task = Task {
                    try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                        try reactor.listen("tcp:127.0.0.1:0") { _ in }
                        if round % 4 == 1 { throw Refusal() }
                        if round % 4 == 2 { reactor.stop() }
                        if round % 4 > 1 { try await reactor.sleep(for: .seconds(1000)) }
                    }
                }
                if round % 4 == 3 { task.cancel() }
                _ = await task.result
                // What the process has but once is there by then.
                if round == 19 { (threads, descriptors) = (Self.count("task"), Self.count("fd")) }
            }
            // Swift and Dispatch may have a few more of their own meanwhile; a hundred rounds would have left hundreds.
            try #require(Self.count("fd") < descriptors + 10)
            // The last of the threads may be about to end.
            for _ in 0..<1_000 where Self.count("task") >= threads + 10 { try await Task.sleep(for: .milliseconds(10)) }
            try #require(Self.count("task") < threads + 10)
        }
    }

    /// Takes all descriptors that this process may have; those that it took.
    private static func takeAllDescriptors() -> [CInt] {
        // Dispatch makes a timer to look after its threads, and ends the process where it can't.
        for _ in 0..<5_000 where !descriptors.contains("anon_inode:[timerfd]") { pauseThread(.milliseconds(1)) }
        var limit = rlimit(rlim_cur: 64, rlim_max: 64)
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var taken: [CInt] = []
        while case let number = systemOpen("/dev/null", O_RDONLY | O_CLOEXEC), number >= 0 { taken.append(number) }
        return taken
    }

    @Test func whatTheSystemHasNoRoomForIsThrown() async {
        await #expect(processExitsWith: .success) {
            var taken = Self.takeAllDescriptors()
            let count = taken.count
            var reasons: [String] = []
            // Each time one descriptor more is free, until there are enough.
            while reasons.last != "none", let number = taken.popLast() {
                systemClose(number)
                do {
                    try await LibeventReactor.run(logger: RecordedLog().logger, installSignalHandlers: false) { _ in }
                    reasons.append("none")
                } catch ReactorError.noEventBase(let error) {
                    try #require(error.errno == EMFILE, "\(error)")
                    reasons.append(error.call)
                }
            }
            try #require(reasons.count > 2 && reasons.last == "none", "\(reasons)")
            // What failed has left nothing open.
            for number in taken { systemClose(number) }
            try #require(Self.takeAllDescriptors().count == count)
        }
    }

    @Test func aLoopThatCannotBeginThrowsBeforeTheBody() async {
        await #expect(processExitsWith: .success) {
            let taken = Self.takeAllDescriptors()
            // There was none for signals to ring at.
            #expect(throws: SystemError.self) { try StopSignals.descriptor() }
            for number in taken { systemClose(number) }
            let ran = Shared(false)
            do {
                try await LibeventReactor.run(logger: RecordedLog().logger) { _ in ran.value = true }
                exit(3)
            } catch ReactorError.loopFailed(let error) {
                try #require(error.errno == EMFILE)
            }
            try #require(!ran.value)
            try #require(Self.takeAllDescriptors().count == taken.count)
        }
    }

    @Test func aThreadThatCannotBeMadeIsAnError() async {
        await #expect(processExitsWith: .success) {
            let pages =
                try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ").first.flatMap { UInt($0) } ?? 0
            // Less address space than a stack takes.
            var limit = rlimit(rlim_cur: pages * 4096 + 4 << 20, rlim_max: .max)
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
            do {
                try await LibeventReactor.run { _ in }
                exit(3)
            } catch ReactorError.noEventBase(let error) {
                try #require(error.call == "pthread_create")
            }
        }
    }

    /// Breaks a reactor's loop: closes what it waits with.
    private static func breakLoop(of reactor: LibeventReactor) throws {
        for number in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fdinfo").compactMap({ CInt($0) }) {
            let info = (try? String(contentsOfFile: "/proc/self/fdinfo/\(number)", encoding: .utf8)) ?? ""
            let isWatched = info.split(separator: "\n").contains { line in
                line.split(separator: " ", omittingEmptySubsequences: true).prefix(2) == ["tfd:", "\(reactor.wakeUp.readEnd)"]
            }
            if isWatched { systemClose(number) }
        }
    }

    @Test func aLoopThatBreaksCancelsTheBodyAndThrows() async {
        await #expect(processExitsWith: .success) {
            let events = Shared<[String]>([])
            let client = Shared<RawSocket?>(nil)
            do {
                try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                    let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                        do { for try await _ in connection.chunks {} } catch { events.value.append("handler: \(error)") }
                    }
                    client.value = try RawSocket(connectedTo: server.port.number)
                    while server.connectionCount == 0 { try await reactor.sleep(for: .milliseconds(1)) }
                    try Self.breakLoop(of: reactor)
                    do {
                        try await reactor.sleep(for: .seconds(1000))
                    } catch {
                        events.value.append("body: \(type(of: error))")
                    }
                    // A task of another place comes back, too.
                    await Task.detached { await Task.yield() }.value
                    events.value.append("ended")
                }
                exit(3)
            } catch ReactorError.loopFailed(let error) {
                try #require(error.call == "event_base_loop")
            }
            try #require(Set(events.value) == ["handler: the reactor was stopped", "body: CancellationError", "ended"], "\(events.value)")
            try #require(client.value?.isClosedByPeer == true)
        }
    }
    #endif
}
