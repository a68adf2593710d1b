import Dispatch
import TestSupport
import Testing

@testable import Twill

@Suite("The thread pool", .nothingLivesOn)
struct ThreadPoolTests {
    /// Waits for the pool's work; a pool that lost some is an issue rather than a test that hangs.
    private func wait(_ semaphore: DispatchSemaphore, times count: Int = 1) {
        for _ in 0..<count where semaphore.wait(timeout: .now() + 20) == .timedOut {
            Issue.record("the pool's work was not done")
            return
        }
    }

    @Test func neverMoreThanTheLimitRunAtOnceAndAllRun() {
        let pool = ThreadPool(threadsMax: 3)
        let running = Counter()
        let most = Shared(0)
        let done = DispatchSemaphore(value: 0)
        for _ in 0..<500 {
            pool.run {
                let now = running.add()
                most.change { $0 = max($0, now) }
                for _ in 0..<1_000 { _ = running.value }
                running.add(-1)
                done.signal()
            }
        }
        wait(done, times: 500)
        #expect(most.value <= 3)
        #expect(running.value == 0)
    }

    @Test func asManyAsTheLimitDoRunAtOnce() {
        let pool = ThreadPool(threadsMax: 4)
        let arrived = DispatchSemaphore(value: 0)
        let go = DispatchSemaphore(value: 0)
        for _ in 0..<4 {
            pool.run {
                arrived.signal()
                go.wait()
            }
        }
        // They can only all arrive if none waits for another to end.
        wait(arrived, times: 4)
        for _ in 0..<4 { go.signal() }
    }

    @Test func oneThreadBeginsWorkInTheOrderInWhichItWasHandedIn() {
        let pool = ThreadPool(threadsMax: 1)
        let order = Shared<[Int]>([])
        let done = DispatchSemaphore(value: 0)
        for number in 0..<1_000 {
            pool.run {
                order.change { $0.append(number) }
                if number == 999 { done.signal() }
            }
        }
        wait(done)
        #expect(order.value == Array(0..<1_000))
    }

    @Test func raisingTheLimitStartsWhatWaits() {
        let pool = ThreadPool(threadsMax: 1)
        let arrived = DispatchSemaphore(value: 0)
        let go = DispatchSemaphore(value: 0)
        for _ in 0..<2 {
            pool.run {
                arrived.signal()
                go.wait()
            }
        }
        wait(arrived)
        #expect(arrived.wait(timeout: .now() + .milliseconds(50)) == .timedOut)
        pool.threadsMax = 2
        wait(arrived)
        for _ in 0..<2 { go.signal() }
    }

    @Test func loweringTheLimitHoldsBackWhatFollows() {
        let pool = ThreadPool(threadsMax: 4)
        let running = Counter()
        let most = Shared(0)
        let done = DispatchSemaphore(value: 0)
        pool.threadsMax = 1
        for _ in 0..<100 {
            pool.run {
                let now = running.add()
                most.change { $0 = max($0, now) }
                running.add(-1)
                done.signal()
            }
        }
        wait(done, times: 100)
        #expect(most.value == 1)
    }

    @Test func aLimitBelowOneCountsAsOne() {
        let pool = ThreadPool(threadsMax: 0)
        #expect(pool.threadsMax == 1)
        pool.threadsMax = -3
        #expect(pool.threadsMax == 1)
        let done = DispatchSemaphore(value: 0)
        pool.run { done.signal() }
        wait(done)
    }

    @Test func workThatIsDoneIsLetGoThoughMoreWaits() {
        final class Token: Sendable {
            let gone: DispatchSemaphore
            init(_ gone: DispatchSemaphore) { self.gone = gone }
            deinit { gone.signal() }
        }
        let pool = ThreadPool(threadsMax: 1)
        let gone = DispatchSemaphore(value: 0)
        let go = DispatchSemaphore(value: 0)
        do {
            let token = Token(gone)
            pool.run { _ = token }
        }
        pool.run { go.wait() }
        pool.run {}
        // The second holds the thread and the third waits; nothing needs the first any more.
        #expect(gone.wait(timeout: .now() + 5) == .success)
        go.signal()
    }
}
