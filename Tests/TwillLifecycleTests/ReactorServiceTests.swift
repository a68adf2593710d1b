import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import Twill
import TwillLifecycle

/// Reactors as services of a real group, with real clients.
@Suite("A reactor as a service", .nothingLivesOn, .timeLimit(.minutes(2)))
struct ReactorServiceTests {
    private struct Refusal: Error {}

    /// Notes what happens, on any thread.
    private final class Diary: Sendable {
        private let lines = Mutex<[String]>([])

        var entries: [String] { lines.withLock { $0 } }

        func note(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

    /// An echo of lines, which says on which port, and notes how its handlers end.
    private struct Echo {
        let diary = Diary()
        private let ports = AsyncStream.makeStream(of: Int.self)

        var port: Int {
            get async throws { try #require(await ports.stream.first { _ in true }) }
        }

        var service: ReactorService {
            let (diary, ports) = (diary, ports)
            return ReactorService(logger: quiet) { reactor in
                let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                    do {
                        for try await line in connection.lines { try await connection.writeLine(line) }
                        diary.note("client left")
                    } catch {
                        diary.note("\(type(of: error)), shutting down: \(Task.isShuttingDownGracefully)")
                        // Tidying up is waited for. This task is cancelled, so it asks another one.
                        let reactor = connection.reactor
                        try await reactor.task { reactor in try await reactor.sleep(for: .milliseconds(20)) }.value
                        diary.note("tidied")
                    }
                }
                ports.continuation.yield(Int(server.address.port ?? 0))
            }
        }
    }

    private static func group(_ services: [any Service]) -> ServiceGroup {
        ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: Self.quiet))
    }

    /// Connects, talks, does something, and waits for the end of the connection.
    private static func talk(to port: Int, then act: @escaping @Sendable () async -> Void) async throws {
        try await LibeventReactor.run(installSignalHandlers: false) { reactor in
            let connection = try await reactor.connect("tcp:127.0.0.1:\(port)")
            try await connection.writeLine("hello")
            #expect(try await connection.lines.next() == "hello")
            await act()
            #expect(try await connection.lines.next() == nil)
        }
    }

    @Test func aGracefulShutdownStopsItWhenItsHandlersHaveEnded() async throws {
        let echo = Echo()
        let group = Self.group([echo.service])
        async let outcome: Void = group.run()
        let port = try await echo.port
        try await Self.talk(to: port) { await group.triggerGracefulShutdown() }
        try await outcome
        #expect(echo.diary.entries == ["CancellationError, shutting down: true", "tidied"])
        await #expect(throws: ConnectError.self) { try await Self.talk(to: port) {} }
    }

    @Test func allReactorsOfAGroupShutDown() async throws {
        let echoes = (0..<3).map { _ in Echo() }
        let group = Self.group(echoes.map(\.service))
        let met = Diary()
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            for echo in echoes {
                let port = try await echo.port
                tasks.addTask {
                    try await Self.talk(to: port) {
                        met.note("one more")
                        if met.entries.count == echoes.count { await group.triggerGracefulShutdown() }
                    }
                }
            }
            try await tasks.waitForAll()
        }
        #expect(echoes.allSatisfy { $0.diary.entries == ["CancellationError, shutting down: true", "tidied"] })
    }

    @Test func aShutdownEndsASetUpThatWaits() async throws {
        let diary = Diary()
        let begun = AsyncStream.makeStream(of: Void.self)
        let group = Self.group([
            ReactorService { reactor in
                begun.continuation.yield()
                do {
                    try await reactor.sleep(for: .seconds(1000))
                } catch {
                    diary.note("\(type(of: error))")
                    throw error
                }
            }
        ])
        async let outcome: Void = group.run()
        _ = await begun.stream.first { true }
        await group.triggerGracefulShutdown()
        try await outcome
        #expect(diary.entries == ["CancellationError"])
    }

    @Test func aShutdownAtAnyMomentEndsIt() async throws {
        for round in 0..<100 {
            let group = Self.group([ReactorService { reactor in try reactor.listen("tcp:127.0.0.1:0") { _ in } }])
            async let outcome: Void = group.run()
            for _ in 0..<round { await Task.yield() }
            await group.triggerGracefulShutdown()
            try await outcome
        }
    }

    @Test func cancellingTheGroupStopsIt() async throws {
        let echo = Echo()
        let group = Self.group([echo.service])
        let task = Task { try await group.run() }
        try await Self.talk(to: try await echo.port) { task.cancel() }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(echo.diary.entries == ["CancellationError, shutting down: false", "tidied"])
    }

    @Test func whatTheSetUpThrowsEndsTheGroup() async throws {
        let echo = Echo()
        let port = Mutex(0)
        let refusing = ReactorService { _ in
            let number = try await echo.port
            port.withLock { $0 = number }
            throw Refusal()
        }
        await #expect(throws: Refusal.self) { try await Self.group([echo.service, refusing]).run() }
        // The other one's port is closed, too.
        await #expect(throws: ConnectError.refused) { try await Self.talk(to: port.withLock { $0 }) {} }
    }

    @Test func aReactorThatStopsByItselfIsAServiceThatHasEnded() async throws {
        let service = ReactorService { reactor in reactor.callLater(.milliseconds(5)) { [unowned reactor] in reactor.stop() } }
        try await service.run()
        let configuration = ServiceGroupConfiguration.ServiceConfiguration(
            service: service, successTerminationBehavior: .gracefullyShutdownGroup)
        let echo = Echo()
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: echo.service), configuration], logger: Self.quiet)
        ).run()
    }

    @Test func aSignalOfTheGroupShutsItDown() async {
        await #expect(processExitsWith: .success) {
            let echo = Echo()
            let group = ServiceGroup(
                services: [echo.service], gracefulShutdownSignals: [.sigterm], logger: Self.quiet)
            async let outcome: Void = group.run()
            try await Self.talk(to: try await echo.port) { kill(getpid(), SIGTERM) }
            try await outcome
            try #require(echo.diary.entries == ["CancellationError, shutting down: true", "tidied"])
        }
    }

    @Test func signalsAreTheGroupsAlone() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let echo = Echo()
            async let outcome: Void = Self.group([echo.service]).run()
            try await Self.talk(to: try await echo.port) { kill(getpid(), SIGTERM) }
            try await outcome
        }
    }

    #if os(Linux)
    @Test func aReactorThatCannotBeMadeIsAnErrorOfTheGroup() async {
        await #expect(processExitsWith: .success) {
            let highest = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { UInt($0) }.max() ?? 0
            var open: [FileHandle] = []
            var limit = rlimit(rlim_cur: highest + 8, rlim_max: highest + 8)
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            while let file = FileHandle(forReadingAtPath: "/dev/null") { open.append(file) }
            // Too few for a reactor, and enough for Dispatch, which ends the process where it gets none.
            open.removeLast(4)
            do {
                try await Self.group([ReactorService { _ in exit(3) }]).run()
                exit(4)
            } catch ReactorError.noEventBase {}
            withExtendedLifetime(open) {}
        }
    }
    #endif
}
