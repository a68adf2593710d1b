import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("A reactor as an executor", .nothingLivesOn)
struct ExecutorTests {
    /// A second reactor, on a thread of its own: the pool that Swift's tasks share is busy with tests.
    private struct OtherReactor {
        let handle: ReactorHandle

        init() throws {
            let made = Mutex<ReactorHandle?>(nil)
            let isThere = DispatchSemaphore(value: 0)
            let thread = Thread {
                guard let reactor = try? LibeventReactor(logger: RecordedLog().logger) else { return }
                made.withLock { $0 = reactor.handle }
                isThere.signal()
                try? reactor.run(installSignalHandlers: false)
            }
            thread.start()
            isThere.wait()
            handle = try #require(made.withLock { $0 })
        }
    }

    private actor Room {
        private let handle: ReactorHandle
        private(set) var members = 0

        init(_ handle: ReactorHandle) { self.handle = handle }

        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe handle.asUnownedSerialExecutor() }

        func enter() -> UInt {
            members += 1
            return currentThread()
        }
    }

    @Test func tasksAndTheirChildrenRunOnTheReactorsThread() throws {
        let threads = Mutex<[UInt]>([])
        try withReactor { reactor in
            reactor.task { reactor in
                threads.withLock { $0.append(currentThread()) }
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 { group.addTask { @Sendable in threads.withLock { $0.append(currentThread()) } } }
                }
                try await reactor.sleep(for: .milliseconds(1))
                threads.withLock { $0.append(currentThread()) }
                reactor.stop()
            }
        }
        #expect(threads.withLock { $0 } == Array(repeating: currentThread(), count: 5))
    }

    @Test func actorsCanBePinnedToAReactor() throws {
        let threads = Mutex<[UInt]>([])
        try withReactor { reactor in
            let room = Room(reactor.handle)
            reactor.task { reactor in
                for _ in 0..<3 {
                    let thread = await room.enter()
                    threads.withLock { $0.append(thread) }
                }
                #expect(await room.members == 3)
                reactor.stop()
            }
        }
        #expect(threads.withLock { $0 } == Array(repeating: currentThread(), count: 3))
    }

    @Test func anAwaitCostsNoTurnOfTheLoop() throws {
        // A task that is resumed in a callback goes on before the next callback of the same turn.
        let order = Shared<[String]>([])
        try withReactor { reactor in
            let place = WaitingPlace()
            let bound = ReactorBound((place, order))
            reactor.task { reactor in
                let (place, order) = bound.value
                try await place.wait(on: reactor.handle)
                order.value.append("resumed")
            }
            reactor.callLater(.milliseconds(5)) {
                place.wake()
                order.value.append("woken")
            }
            reactor.callLater(.milliseconds(5)) {
                order.value.append("next callback")
                reactor.stop()
            }
        }
        #expect(order.value == ["woken", "resumed", "next callback"])
    }

    @Test func isolationIsToldTruly() async throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        #expect(reactor.handle.isIsolatingCurrentContext() == false)
        reactor.callLater(.zero) { [unowned reactor] in
            #expect(reactor.handle.isIsolatingCurrentContext() == true)
            reactor.handle.checkIsolated()
            reactor.stop()
        }
        try reactor.runToStop()
        #expect(reactor.handle.isIsolatingCurrentContext() == false)
    }

    /// A place that only one may visit at a time.
    private final class Visits: Sendable {
        private let inside = Atomic(0)
        let overlaps = Atomic(0)

        func visit() {
            if inside.add(1, ordering: .relaxed).oldValue != 0 { overlaps.add(1, ordering: .relaxed) }
            for _ in 0..<100 { _ = inside.load(ordering: .sequentiallyConsistent) }
            inside.subtract(1, ordering: .relaxed)
        }
    }

    /// A reactor's handle, whose reactor is gone.
    private func orphanedHandle() throws -> ReactorHandle {
        try LibeventReactor(logger: RecordedLog().logger).handle
    }

    @Test func whatAGoneReactorLeavesIsRunOneAtATime() throws {
        let handle = try orphanedHandle()
        let visits = Visits()
        let done = DispatchSemaphore(value: 0)
        for _ in 0..<4 {
            Thread.detachNewThread { @Sendable in
                for _ in 0..<2_000 {
                    Task(executorPreference: handle) { @Sendable in
                        visits.visit()
                        done.signal()
                    }
                }
            }
        }
        let ended = (0..<8_000).allSatisfy { _ in done.wait(timeout: .now() + 20) == .success }
        #expect(ended)
        #expect(visits.overlaps.load(ordering: .relaxed) == 0)
    }

    @Test func whatIsReadyWhenTheReactorGoesIsRunStill() throws {
        let rounds = Counter()
        try withReactor { reactor in
            let handle = reactor.handle
            Task(executorPreference: handle) { @Sendable in
                handle.stop()
                // More than one callback runs.
                for _ in 0..<10_000 {
                    await Task.yield()
                    _ = rounds.add()
                }
            }
        }
        #expect(rounds.value == 10_000)
    }

    @Test func theClockIsASwiftClock() throws {
        let elapsed = Mutex<Duration>(.zero)
        let other = try OtherReactor()
        defer { other.handle.stop() }
        try withReactor { reactor in
            let clock = reactor.clock
            let handle = reactor.handle
            Task(executorPreference: other.handle) { @Sendable in
                let before = clock.now
                try await clock.sleep(for: .milliseconds(20))
                elapsed.withLock { $0 = before.duration(to: clock.now) }
                handle.stop()
            }
        }
        #expect(elapsed.withLock { $0 } >= .milliseconds(20))
    }

    @Test func sleepingIsCancelled() throws {
        let caught = Mutex<[String]>([])
        let other = try OtherReactor()
        defer { other.handle.stop() }
        try withReactor { reactor in
            let handle = reactor.handle
            let clock = reactor.clock
            let sleepers = [
                reactor.task { reactor in try await reactor.sleep(for: .seconds(1000)) },
                Task(executorPreference: other.handle) { try await clock.sleep(for: .seconds(1000)) },
            ]
            reactor.callLater(.milliseconds(10)) { for sleeper in sleepers { sleeper.cancel() } }
            Task(executorPreference: other.handle) { @Sendable in
                for sleeper in sleepers {
                    let result = await sleeper.result
                    caught.withLock { $0.append("\(result)") }
                }
                handle.stop()
            }
        }
        #expect(caught.withLock { $0 }.count == 2)
        #expect(caught.withLock { $0 }.allSatisfy { $0.contains("CancellationError") })
    }

    @Test func timeoutsEndWhatTakesTooLong() throws {
        let outcomes = Mutex<[String]>([])
        try withReactor { reactor in
            reactor.task { reactor in
                let quick = try await reactor.withTimeout(.seconds(100)) { "quick" }
                outcomes.withLock { $0.append(quick) }
                do {
                    try await reactor.withTimeout(.milliseconds(10)) { try await reactor.sleep(for: .seconds(1000)) }
                } catch {
                    outcomes.withLock { $0.append("\(error)") }
                }
                reactor.stop()
            }
        }
        #expect(outcomes.withLock { $0 } == ["quick", "it took longer than 0.01 seconds"])
    }

    @Test func deferredsAndTasksWaitForEachOther() throws {
        struct Refusal: Error {}
        let outcomes = Mutex<[String]>([])
        try withReactor { reactor in
            reactor.task { reactor in
                let value = try await reactor.deferToThread { 42 }.value(on: reactor)
                outcomes.withLock { $0.append("\(value)") }
                do {
                    _ = try await Deferred<Int>(.failure(Refusal())).value(on: reactor)
                } catch {
                    outcomes.withLock { $0.append("\(type(of: error))") }
                }
                Deferred<String>(on: reactor) {
                    try await reactor.sleep(for: .milliseconds(1))
                    return "from a task"
                }.addCallback { text in
                    outcomes.withLock { $0.append(text) }
                    reactor.stop()
                }
            }
        }
        #expect(outcomes.withLock { $0 } == ["42", "Refusal", "from a task"])
    }

    @Test func cancellingCrossesOver() throws {
        let outcomes = Mutex<[String]>([])
        try withReactor { reactor in
            // A task that waits for a Deferred.
            let waiting = reactor.task { reactor in
                let deferred = Deferred<Int>(canceller: { _ in outcomes.withLock { $0.append("deferred cancelled") } })
                _ = try await deferred.value(on: reactor)
            }
            // A Deferred that waits for a task.
            let deferred = Deferred<Void>(on: reactor) {
                do {
                    try await reactor.sleep(for: .seconds(1000))
                } catch {
                    outcomes.withLock { $0.append("task cancelled") }
                    reactor.stop()
                }
            }
            deferred.addErrback { _ in }
            reactor.callLater(.milliseconds(10)) { waiting.cancel() }
            reactor.callLater(.milliseconds(50)) { deferred.cancel() }
        }
        #expect(outcomes.withLock { $0 } == ["deferred cancelled", "task cancelled"])
    }
}
