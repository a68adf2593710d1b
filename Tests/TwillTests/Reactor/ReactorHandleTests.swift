import Dispatch
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Calls from other threads", .nothingLivesOn)
struct ReactorHandleTests {
    private struct Refusal: Error {}

    @Test func everyThreadsCallsAreMadeOnceEachAndInItsOrder() throws {
        let threads = 8
        let calls = 10_000
        let made = Shared([[Int]](repeating: [], count: threads))
        try withReactor(deadline: .seconds(60)) { reactor in
            let handle = reactor.handle
            let left = Counter()
            for thread in 0..<threads {
                DispatchQueue.global().async {
                    for number in 0..<calls {
                        handle.callFromThread { reactor in
                            made.change { $0[thread].append(number) }
                            if left.add() == threads * calls { reactor.afterTurns(3) { reactor.stop() } }
                        }
                    }
                }
            }
        }
        for thread in made.value { #expect(thread == Array(0..<calls)) }
    }

    @Test func aSleepingReactorWakesUpPromptly() throws {
        let elapsed = Shared(Duration.zero)
        try withReactor { reactor in
            let handle = reactor.handle
            // The second call comes when the loop has nothing else to wake up for.
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) {
                let start = ContinuousClock.now
                handle.callFromThread { reactor in
                    elapsed.value = ContinuousClock.now - start
                    reactor.stop()
                }
            }
        }
        #expect(elapsed.value < .seconds(2))
    }

    @Test func callsAreMadeOnTheReactorsThread() throws {
        let isSame = Shared(false)
        try withReactor { reactor in
            let own = currentThread()
            let handle = reactor.handle
            DispatchQueue.global().async {
                handle.callFromThread { reactor in
                    isSame.value = currentThread() == own
                    reactor.stop()
                }
            }
        }
        #expect(isSame.value)
    }

    @Test func callsHandedInBeforeTheReactorRunsWaitUntilItDoes() throws {
        let seen = Shared<[String]>([])
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        reactor.handle.callFromThread { _ in seen.change { $0.append("call") } }
        reactor.callWhenRunning { seen.change { $0.append("startup") } }
        #expect(seen.value.isEmpty)
        reactor.handle.callFromThread { $0.stop() }
        try reactor.runToStop()
        #expect(seen.value == ["startup", "call"])
    }

    @Test func callsAreDroppedAndLetGoWhenTheReactorIsGone() throws {
        final class Token: Sendable {}
        var reactor: LibeventReactor? = try LibeventReactor()
        let handle = try #require(reactor?.handle)
        let token = Shared<Token?>(Token())
        weak let watched = token.value
        handle.callFromThread { [token = token.value] _ in _ = token }
        token.value = nil
        #expect(watched != nil)
        reactor = nil
        #expect(watched == nil)
        handle.callFromThread { _ in Issue.record("there is no reactor to make this call") }
        handle.stop()
        #expect(handle.takeCalls().isEmpty)
    }

    @Test func aCallThatThrowsIsLoggedAndTheLoopGoesOn() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            reactor.handle.callFromThread { _ in throw Refusal() }
            reactor.handle.callFromThread { $0.stop() }
        }
        #expect(log.count(containing: "a call from a thread threw: Refusal()") == 1)
    }

    @Test func aCallFromTheReactorsOwnThreadIsMadeOnTheNextTurn() throws {
        let seen = Shared<[String]>([])
        try withReactor { reactor in
            let handle = reactor.handle
            handle.callFromThread { _ in
                handle.callFromThread { reactor in
                    seen.change { $0.append("inner") }
                    reactor.stop()
                }
                seen.change { $0.append("outer") }
            }
        }
        #expect(seen.value == ["outer", "inner"])
    }

    @Test func anyThreadMayStopTheReactor() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let handle = reactor.handle
        reactor.callWhenRunning {
            DispatchQueue.global().async { handle.stop() }
        }
        try reactor.runToStop()
        #expect(!reactor.isRunning)
    }

    @Test func aCallMayUseAllOfTheReactor() throws {
        let wasCalled = Counter()
        try withReactor { reactor in
            let handle = reactor.handle
            DispatchQueue.global().async {
                handle.callFromThread { reactor in
                    reactor.callLater(.milliseconds(1)) {
                        wasCalled.add()
                        reactor.stop()
                    }
                }
            }
        }
        #expect(wasCalled.value == 1)
    }
}
