import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import Twill
import TwillServices

@Suite("A group of reactors", .timeLimit(.minutes(2)))
struct ReactorGroupTests {
    private final class Echo: Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    private static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

    /// Runs a group on a thread of its own, to its end.
    private func running(_ group: ReactorGroup, _ body: () throws -> Void) throws {
        let ended = Outcome()
        Thread.detachNewThread {
            let result = Result { try group.run() }
            ended.value.withLock { $0 = result }
        }
        defer { group.stop() }
        try body()
        group.stop()
        try wait { ended.value.withLock { $0 != nil } }
        try ended.value.withLock { try $0?.get() }
    }

    private final class Outcome: Sendable {
        let value = Mutex<Result<Void, any Error>?>(nil)
    }

    @Test func everyReactorHasItsOwnAndOnePortIsAll() throws {
        let diary = Diary()
        let group = try ReactorGroup(count: 3, logger: Self.quiet) { reactor, place in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1")
            diary.note("\(place.number) of \(place.count) \(port.address.port ?? 0)")
        }
        let ports = Set(diary.entries.compactMap { $0.split(separator: " ").last })
        #expect(diary.entries.map { $0.prefix(6) } == ["0 of 3", "1 of 3", "2 of 3"] && ports.count == 1)
        let port = try #require(ports.first.flatMap { Int($0) })
        try running(group) {
            let clients = try (0..<30).map { _ in try LineClient(port: port) }
            for client in clients { #expect(client.ask("hello") == "hello") }
            let sum = Diary()
            group.handles[1].callFromThread { reactor in
                group.statistics(on: reactor).addCallback { sum.note("\($0.connections.open) \($0.connections.bytesReceived)") }
            }
            try wait { !sum.entries.isEmpty }
            #expect(sum.entries == ["30 180"])
        }
        #expect(throws: ReactorError.self) { try group.run() }
    }

    @Test func oneThatStopsStopsAll() throws {
        let group = try ReactorGroup(count: 3, logger: Self.quiet) { reactor, place in
            if place.number == 1 { reactor.callWhenRunning { reactor.stop() } }
        }
        // It returns.
        try group.run()
    }

    @Test func aSetUpThatThrowsLeavesNothingOpenAndStartsNothing() throws {
        let diary = Diary()
        #expect(throws: Refusal.self) {
            try ReactorGroup(count: 2, logger: Self.quiet) { reactor, place in
                reactor.callWhenRunning { diary.note("ran") }
                guard place.isFirst else { throw Refusal() }
                let port = try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1")
                diary.note("\(port.address.port ?? 0)")
            }
        }
        #expect(diary.entries.count == 1)
        let port = try #require(diary.entries.first.flatMap { Int($0) })
        #expect(throws: (any Error).self) { try LineClient(port: port) }
    }

    @Test func oneThatNeverRunsLeavesNothingOpen() throws {
        let diary = Diary()
        _ = try ReactorGroup(count: 2, logger: Self.quiet) { reactor, _ in
            diary.note("\(try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1").address.port ?? 0)")
        }
        let port = try #require(diary.entries.first.flatMap { Int($0) })
        #expect(throws: (any Error).self) { try LineClient(port: port) }
    }
}
