import Dispatch
import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Running and stopping a reactor", .nothingLivesOn)
struct LibeventReactorTests {
    private struct Refusal: Error {}

    /// A reactor that notes its startup and shutdown.
    private func reactor(noting seen: Shared<[String]>, log: RecordedLog = RecordedLog()) throws -> LibeventReactor {
        let reactor = try LibeventReactor(logger: log.logger)
        reactor.addSystemEventTrigger(.during, .startup) { seen.value.append("startup") }
        reactor.addSystemEventTrigger(.during, .shutdown) { seen.value.append("shutdown") }
        return reactor
    }

    @Test func aReactorRunsUntilItIsStopped() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        #expect(!reactor.isRunning)
        reactor.callLater(.milliseconds(5)) {
            seen.value.append("running \(reactor.isRunning)")
            reactor.stop()
            seen.value.append("stop returns")
        }
        try reactor.runToStop()
        #expect(!reactor.isRunning)
        #expect(seen.value == ["startup", "running true", "stop returns", "shutdown"])
    }

    @Test func stoppingBeforeRunningMakesRunReturnAfterItsEvents() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        reactor.stop()
        reactor.stop()
        try reactor.runToStop()
        #expect(seen.value == ["startup", "shutdown"])
    }

    @Test(arguments: [SystemEventPhase.before, .during, .after])
    func stoppingInsideStartupIsHeard(phase: SystemEventPhase) throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        reactor.addSystemEventTrigger(phase, .startup) { reactor.stop() }
        try reactor.runToStop()
        #expect(seen.value == ["startup", "shutdown"])
    }

    @Test func stoppingAnyNumberOfTimesIsStoppingOnce() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        for phase in [SystemEventPhase.before, .during, .after] {
            reactor.addSystemEventTrigger(phase, .shutdown) { reactor.stop() }
        }
        reactor.callWhenRunning {
            reactor.stop()
            reactor.handle.stop()
            reactor.callLater(.zero) { reactor.stop() }
        }
        try reactor.runToStop()
        #expect(seen.value == ["startup", "shutdown"])
    }

    @Test func aStoppedReactorRunsAgain() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        for round in 1...3 {
            reactor.callLater(.zero) {
                seen.value.append("round \(round)")
                reactor.stop()
            }
            try reactor.runToStop()
        }
        #expect(seen.value == ["startup", "round 1", "shutdown", "round 2", "round 3"])
    }

    @Test func runningAReactorThatRunsIsAnError() throws {
        let failure = Shared<String?>(nil)
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        reactor.callWhenRunning {
            do { try reactor.run(installSignalHandlers: false) } catch { failure.value = "\(error)" }
            #expect(reactor.isRunning)
            reactor.stop()
        }
        try reactor.runToStop()
        #expect(failure.value?.hasPrefix("the reactor is running already") == true)
    }

    @Test func aCrashLeavesWithoutAShutdownAndRunGoesOn() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        reactor.callLater(.zero) {
            seen.value.append("crash")
            reactor.crash()
        }
        reactor.callLater(.milliseconds(1)) {
            seen.value.append("later")
            reactor.stop()
        }
        try reactor.run(installSignalHandlers: false)
        #expect(!reactor.isRunning)
        #expect(seen.value == ["startup", "crash"])
        try reactor.runToStop()
        #expect(seen.value == ["startup", "crash", "later", "shutdown"])
    }

    @Test func aCrashLeavesAtTheEndOfTheTurn() throws {
        let seen = Shared<[String]>([])
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        reactor.callLater(.zero) {
            seen.value.append("crash")
            reactor.crash()
            reactor.callLater(.zero) {
                seen.value.append("next turn")
                reactor.stop()
            }
        }
        reactor.callLater(.zero) { seen.value.append("same turn") }
        try reactor.run(installSignalHandlers: false)
        #expect(seen.value == ["crash", "same turn"])
        try reactor.runToStop()
        #expect(seen.value == ["crash", "same turn", "next turn"])
    }

    @Test func nothingIsDeliveredWhileTheReactorDoesNotRun() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let pair = try Pair(reactor)
        let wasRunning = Shared<[Bool]>([])
        pair.server.whenData = {
            wasRunning.value.append(reactor.isRunning)
            $0.transport.loseConnection()
        }
        pair.client.whenMade = {
            // It lies in the server's socket when the loop is left.
            $0.transport.write("hello")
            reactor.crash()
        }
        try reactor.run(installSignalHandlers: false)
        try reactor.runToStop()
        #expect(wasRunning.value == [true])
    }

    @Test func connectionsSurviveACrashAndGoOn() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let pair = try Pair(reactor)
        pair.client.whenMade = { _ in reactor.callLater(.milliseconds(1)) { reactor.crash() } }
        try reactor.run(installSignalHandlers: false)
        #expect(pair.client.events == [.made])
        reactor.callWhenRunning { pair.client.transport.write("hello") }
        pair.server.whenData = { $0.transport.loseConnection() }
        try reactor.runToStop()
        #expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
        #expect(pair.client.events == [.made, .lost(.done)])
    }

    @Test func whatIsWrittenBetweenTwoRunsIsSent() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let pair = try Pair(reactor)
        pair.client.whenMade = { _ in reactor.callLater(.milliseconds(1)) { reactor.crash() } }
        try reactor.run(installSignalHandlers: false)
        pair.client.transport.write("hello")
        pair.server.whenData = { $0.transport.loseConnection() }
        try reactor.runToStop()
        #expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
    }

    @Test func aCallWhenRunningIsMadeAfterStartupOrAtOnce() throws {
        let seen = Shared<[String]>([])
        let log = RecordedLog()
        let reactor = try reactor(noting: seen, log: log)
        reactor.callWhenRunning {
            seen.value.append("after startup")
            reactor.callWhenRunning { seen.value.append("at once") }
            seen.value.append("returned")
            reactor.callWhenRunning { throw Refusal() }
            reactor.stop()
        }
        try reactor.runToStop()
        #expect(seen.value == ["startup", "after startup", "at once", "returned", "shutdown"])
        #expect(log.count(containing: "Refusal()") == 1)
    }

    @Test func shutdownWaitsForWhatComesBeforeIt() throws {
        let seen = Shared<[String]>([])
        let reactor = try reactor(noting: seen)
        let drained = Deferred<Void>()
        reactor.addSystemEventTrigger(waitingBefore: .shutdown) { () -> Deferred<Void>? in
            reactor.callLater(.milliseconds(20)) {
                seen.value.append("drained, running \(reactor.isRunning)")
                try drained.succeed(())
            }
            return drained
        }
        reactor.addSystemEventTrigger(.after, .shutdown) { seen.value.append("after, running \(reactor.isRunning)") }
        reactor.callWhenRunning { reactor.stop() }
        try reactor.runToStop()
        #expect(seen.value == ["startup", "drained, running true", "shutdown", "after, running true"])
    }

    @Test func anEventOfTheUsersOwnIsFiredAtOnce() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let seen = Shared<[String]>([])
        let reload = SystemEvent("reload")
        reactor.addSystemEventTrigger(.during, reload) { seen.value.append("reload") }
        let removed = reactor.addSystemEventTrigger(.during, reload) { seen.value.append("removed") }
        #expect(reactor.removeSystemEventTrigger(removed))
        #expect(!reactor.removeSystemEventTrigger(removed))
        reactor.fireSystemEvent(reload)
        #expect(seen.value == ["reload"])
    }

    @Test func workOnThreadsComesBackOnTheReactorsThread() throws {
        let seen = Shared<[String]>([])
        try withReactor { reactor in
            let own = currentThread()
            reactor.deferToThread { currentThread() }.addCallback { worker in
                seen.value.append("work elsewhere \(worker != own), result here \(currentThread() == own)")
            }
            reactor.deferToThread { () throws -> Int in throw Refusal() }.addErrback { error in
                seen.value.append("error here \(currentThread() == own) \(error)")
                reactor.stop()
                return 0
            }
        }
        #expect(seen.value.sorted() == ["error here true Refusal()", "work elsewhere true, result here true"])
    }

    @Test func severalReactorsRunOnSeveralThreadsAtOnce() throws {
        let count = 4
        let running = Counter()
        let done = DispatchSemaphore(value: 0)
        for _ in 0..<count {
            Thread.detachNewThread { @Sendable in
                do {
                    try withReactor { reactor in
                        // Each waits until all run; none could if they shared a loop.
                        running.add()
                        func wait() { if running.value == count { reactor.stop() } else { reactor.callLater(.milliseconds(1), wait) } }
                        reactor.callWhenRunning(wait)
                    }
                } catch {
                    Issue.record(error)
                }
                done.signal()
            }
        }
        for _ in 0..<count { #expect(done.wait(timeout: .now() + 30) == .success) }
    }

    @Test func aReactorGoesAwayWithAllThatItHeld() throws {
        final class Token {}
        var token: Token? = Token()
        weak let watched = token
        weak var gone: LibeventReactor?
        do {
            let reactor = try withReactor { reactor in
                reactor.callLater(.seconds(1000)) { [token] in _ = token }
                let pair = try Pair(reactor)
                pair.client.whenMade = { $0.transport.loseConnection() }
                return reactor
            }
            gone = reactor
        }
        token = nil
        #expect(gone == nil)
        #expect(watched == nil)
    }

    @Test func aTriggerMayHaveSeveralStatements() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let seen = Shared<[String]>([])
        reactor.addSystemEventTrigger(.before, .shutdown) {
            seen.value.append("one")
            seen.value.append("two")
        }
        reactor.stop()
        try reactor.run(installSignalHandlers: false)
        #expect(seen.value == ["one", "two"])
    }

    @Test func connectingAgainBecauseTheReactorStopsDoesNotKeepIt() throws {
        final class Stubborn: ClientFactory {
            var failures: [ConnectError] = []
            override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws { try connector.connect() }
            override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { failures.append(reason) }
        }
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let port = try reactor.listenTCP(port: 0, factory: Factory { Twill::Protocol() }, interface: "127.0.0.1")
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.reactor.stop() }
        let factory = Stubborn { [weak recorder] _ in recorder }
        try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: factory)
        try reactor.run(installSignalHandlers: false)
        #expect(recorder.reason == .reactorStopped)
        #expect(factory.failures == [.cancelled])
        #expect(reactor.dialers.isEmpty)
    }
}
