import TestSupport
import Testing

@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Each in a process of its own, because signals are the whole process's.
@Suite("Signals that stop a reactor", .nothingLivesOn)
struct StopSignalsTests {
    @Test func aSignalStopsTheReactor() async {
        for number in [SIGINT, SIGTERM] {
            await #expect(processExitsWith: .success) { [number = number as CInt] in
                let reactor = try LibeventReactor()
                let seen = Shared<[String]>([])
                reactor.addSystemEventTrigger(.during, .shutdown) { seen.value.append("shutdown") }
                reactor.callWhenRunning { kill(getpid(), number) }
                reactor.callLater(.seconds(10)) { exit(3) }
                try reactor.run()
                try #require(seen.value == ["shutdown"])
                try #require(!reactor.isRunning)
            }
        }
    }

    @Test func aSignalWakesASleepingReactor() async {
        await #expect(processExitsWith: .success) {
            let reactor = try LibeventReactor()
            reactor.callWhenRunning {
                reactor.threadPool.run {
                    pauseThread(.milliseconds(50))
                    kill(getpid(), SIGTERM)
                }
            }
            reactor.callLater(.seconds(10)) { exit(3) }
            try reactor.run()
        }
    }

    @Test func oneSignalStopsEveryReactorThatListensForIt() async {
        await #expect(processExitsWith: .success) {
            let running = Counter()
            let stopped = Counter()
            let pool = ThreadPool()
            for _ in 0..<3 {
                pool.run {
                    guard let reactor = try? LibeventReactor() else { return }
                    reactor.callWhenRunning { if running.add() == 3 { kill(getpid(), SIGTERM) } }
                    try? reactor.run()
                    stopped.add()
                }
            }
            for _ in 0..<1_000 where stopped.value < 3 { pauseThread(.milliseconds(10)) }
            try #require(stopped.value == 3)
        }
    }

    @Test func whatASignalDidBeforeIsPutBackAfterwards() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let reactor = try LibeventReactor()
            reactor.callWhenRunning { reactor.stop() }
            try reactor.run()
            // The default again, which ends the process.
            kill(getpid(), SIGTERM)
            pauseThread(.seconds(10))
        }
    }

    @Test func aSignalThatTheThreadBlocksStopsTheReactor() async {
        await #expect(processExitsWith: .success) {
            // As in a process that a thread of Dispatch started.
            var all = sigset_t()
            unsafe sigfillset(&all)
            _ = unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
            let reactor = try LibeventReactor()
            reactor.callWhenRunning { kill(getpid(), SIGTERM) }
            reactor.callLater(.seconds(10)) { exit(3) }
            try reactor.run()
        }
    }

    @Test func aSignalThatTheProcessIgnoresStaysIgnored() async {
        await #expect(processExitsWith: .success) {
            _ = signal(SIGINT, SIG_IGN)
            let reactor = try LibeventReactor()
            let seen = Counter()
            reactor.callWhenRunning {
                kill(getpid(), SIGINT)
                reactor.callLater(.milliseconds(50)) {
                    seen.add()
                    reactor.stop()
                }
            }
            try reactor.run()
            try #require(seen.value == 1)
            kill(getpid(), SIGINT)
        }
    }

    @Test func aReactorThatWasToldToLeavesSignalsAlone() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let reactor = try LibeventReactor()
            reactor.callWhenRunning { kill(getpid(), SIGTERM) }
            reactor.callLater(.seconds(10)) { reactor.stop() }
            try reactor.run(installSignalHandlers: false)
        }
    }

    @Test func aSecondSignalDuringTheShutdownChangesNothing() async {
        await #expect(processExitsWith: .success) {
            let reactor = try LibeventReactor()
            let drained = Deferred<Void>()
            reactor.addSystemEventTrigger(waitingBefore: .shutdown) { () -> Deferred<Void>? in
                kill(getpid(), SIGTERM)
                reactor.callLater(.milliseconds(20)) { try drained.succeed(()) }
                return drained
            }
            reactor.callWhenRunning { kill(getpid(), SIGTERM) }
            try reactor.run()
            try #require(drained.hasFired)
        }
    }

    @Test func aPeerThatIsGoneDoesNotEndTheProcess() async {
        await #expect(processExitsWith: .success) {
            // SIGPIPE would.
            let reactor = try LibeventReactor()
            let (near, far) = try socketPair()
            far.close()
            #expect(throws: CallFailure.self) { try near.send("nobody") }
            withExtendedLifetime(reactor) {}
        }
    }
}
