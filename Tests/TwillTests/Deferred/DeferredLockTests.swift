import TestSupport
import Testing

@testable import Twill

@Suite("Locks, semaphores and queues of Deferreds", .nothingLivesOn)
struct DeferredLockTests {
    private struct Refusal: Error {}

    @Test func tokensGoInTheOrderInWhichTheyWereAskedFor() throws {
        let semaphore = DeferredSemaphore(tokens: 2)
        var seen: [Int] = []
        for number in 0..<5 { semaphore.acquire().addCallback { seen.append(number) } }
        #expect(seen == [0, 1])
        #expect(semaphore.tokens == 0)
        #expect(semaphore.waitingCount == 3)
        try semaphore.release()
        #expect(seen == [0, 1, 2])
        for _ in 0..<4 { try semaphore.release() }
        #expect(seen == [0, 1, 2, 3, 4])
        #expect(semaphore.tokens == 2)
        #expect(throws: DeferredError.notAcquired) { try semaphore.release() }
    }

    @Test func nobodyOvertakes() throws {
        let lock = DeferredLock()
        var seen: [String] = []
        lock.acquire().addCallback { seen.append("first") }
        lock.acquire().addCallback {
            seen.append("second")
            try lock.release()
            lock.acquire().addCallback { seen.append("late") }
        }
        lock.acquire().addCallback { seen.append("third") }
        try lock.release()
        #expect(seen == ["first", "second", "third"])
        try lock.release()
        #expect(seen.last == "late")
        #expect(lock.isLocked)
        try lock.release()
        #expect(!lock.isLocked)
    }

    @Test func oneThatIsCancelledLeavesTheLine() throws {
        let lock = DeferredLock()
        var seen: [String] = []
        _ = lock.acquire()
        let given = lock.acquire()
        let run = lock.run { seen.append("ran") }
        lock.acquire().addCallback { seen.append("last") }
        given.cancel()
        run.cancel()
        #expect(lock.waitingCount == 1)
        try lock.release()
        #expect(seen == ["last"])
        #expect(lock.isLocked)
    }

    @Test func runHoldsTheLockUntilItsDeferredHasFired() throws {
        let lock = DeferredLock()
        let first = Deferred<Int>()
        var seen: [String] = []
        lock.run { first }.addCallback { seen.append("first \($0)") }
        lock.run { seen.append("second") }
        #expect(seen.isEmpty)
        try first.succeed(1)
        #expect(seen == ["second", "first 1"])
        #expect(!lock.isLocked)
    }

    @Test func runReleasesAfterWhateverItsCallComesTo() throws {
        let lock = DeferredLock()
        let pending = Deferred<Int>()
        lock.run { () throws -> Int in throw Refusal() }.addErrback { _ in 0 }
        lock.run { () throws -> Deferred<Int> in throw Refusal() }.addErrback { _ in 0 }
        lock.run { Deferred<Int>.fail(Refusal()) }.addErrback { _ in 0 }
        #expect(!lock.isLocked)
        // Cancelling what runs reaches what it waits for.
        let run = lock.run { pending }
        run.cancel()
        #expect(pending.hasFired)
        #expect(!lock.isLocked)
    }

    @Test func anyNumberThatWaitIsServedWithoutRecursion() throws {
        let lock = DeferredLock()
        var count = 0
        _ = lock.acquire()
        for _ in 0..<100_000 { lock.run { count += 1 } }
        try lock.release()
        #expect(count == 100_000)
    }

    @Test func aTokenThatSomebodyElseFiredIsNotLost() throws {
        let lock = DeferredLock()
        _ = lock.acquire()
        try lock.acquire().succeed(())
        try lock.release()
        #expect(!lock.isLocked)
        #expect(DeferredSemaphore(tokens: 0).limit == 1)
    }

    @Test func aQueueServesBothSidesInTheirOrder() throws {
        let queue = DeferredQueue<Int>()
        var seen: [String] = []
        try queue.get().addCallback { seen.append("a\($0)") }
        try queue.get().addCallback { seen.append("b\($0)") }
        #expect(queue.waitingCount == 2)
        for number in 1...4 { try queue.put(number) }
        #expect(queue.count == 2)
        try queue.get().addCallback { seen.append("c\($0)") }
        try queue.get().addCallback { seen.append("d\($0)") }
        #expect(seen == ["a1", "b2", "c3", "d4"])
    }

    @Test func aQueueHasLimitsOnBothSides() throws {
        let queue = DeferredQueue<Int>(size: 1, backlog: 2)
        try queue.put(1)
        #expect(throws: QueueOverflow(size: 1)) { try queue.put(2) }
        _ = try queue.get()
        _ = try queue.get()
        _ = try queue.get()
        #expect(throws: QueueUnderflow(backlog: 2)) { try queue.get() }
        let nothing = DeferredQueue<Int>(size: 0, backlog: 0)
        #expect(throws: QueueOverflow.self) { try nothing.put(1) }
        #expect(throws: QueueUnderflow.self) { try nothing.get() }
    }

    @Test func aTakerThatIsCancelledLeavesTheLine() throws {
        let queue = DeferredQueue<Int>(backlog: 2)
        let first = try queue.get()
        let seen = Shared(0)
        try queue.get().addCallback { seen.value = $0 }
        first.cancel()
        #expect(queue.waitingCount == 1)
        try queue.put(5)
        #expect(seen.value == 5)
    }
}
