import Logging
import Synchronization
import Testing
import Twill
import TwillTesting

/// What happened, with the virtual time at which it did, in milliseconds.
private final class Story {
    let reactor: SimulatedReactor
    private(set) var lines: [String] = []

    init(_ reactor: SimulatedReactor) { self.reactor = reactor }

    func note(_ line: String) {
        let elapsed = ReactorClock.Instant.start.duration(to: reactor.now)
        lines.append("\(elapsed / Duration.milliseconds(1)) \(line)")
    }
}

extension ReactorClock.Instant {
    fileprivate static let start = ManualClock().now
}

@Suite("A reactor in virtual time")
struct SimulatedReactorTests {
    private struct Refusal: Error {}

    @Test func callsAreMadeAtTheirTimeAndInTheirOrder() throws {
        let reactor = SimulatedReactor()
        let story = Story(reactor)
        reactor.callLater(.seconds(60)) { story.note("minute") }
        reactor.callLater(.milliseconds(5)) { story.note("second") }
        reactor.callLater(.milliseconds(5)) { story.note("third") }
        reactor.callLater(.milliseconds(-5)) {
            story.note("first")
            reactor.callLater(.zero) { story.note("next turn") }
        }
        let cancelled = reactor.callLater(.milliseconds(1)) { story.note("never") }
        try cancelled.cancel()
        try reactor.run(for: .milliseconds(4))
        #expect(story.lines == ["0.0 first", "0.0 next turn"])
        try reactor.run(for: .milliseconds(1))
        #expect(story.lines.suffix(2) == ["5.0 second", "5.0 third"])
        try reactor.run(for: .seconds(3600))
        #expect(story.lines.last == "60000.0 minute")
        #expect(reactor.now == .start.advanced(by: .milliseconds(5) + .seconds(3600)))
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func whatTheEndOfTheTimeCausesStillHappens() throws {
        let reactor = SimulatedReactor()
        var steps = 0
        reactor.callLater(.seconds(1)) {
            reactor.callLater(.zero) { reactor.callLater(.zero) { steps += 1 } }
        }
        try reactor.run(for: .seconds(1))
        #expect(steps == 1)
    }

    @Test func aConditionEndsTheRunAndSoDoesItsLimit() throws {
        let reactor = SimulatedReactor()
        var count = 0
        let loop = LoopingCall(on: reactor) { count += 1 }
        try loop.start(.seconds(1), now: false)
        #expect(try reactor.run(within: .seconds(100)) { count == 3 })
        #expect(reactor.now == .start.advanced(by: .seconds(3)))
        #expect(try !reactor.run(within: .seconds(10)) { count == 30 })
        #expect(count == 13)
        loop.stop()
    }

    @Test func aLoopThatNeverSleepsSeesTheTimeGoBy() throws {
        let reactor = SimulatedReactor()
        var turns = 0
        func again() {
            turns += 1
            reactor.callLater(.zero) { again() }
        }
        again()
        try reactor.run(for: .milliseconds(10))
        #expect((5_000...20_000).contains(turns))
    }

    @Test func runningEndsWhenItIsStoppedAndMayBeginAgain() throws {
        let reactor = SimulatedReactor()
        let story = Story(reactor)
        for round in 1...2 {
            reactor.addSystemEventTrigger(.before, .startup) { story.note("startup") }
            reactor.addSystemEventTrigger(waitingBefore: .shutdown) { reactor.deferLater(.milliseconds(10)) { story.note("before") } }
            reactor.addSystemEventTrigger(.after, .shutdown) { story.note("after") }
            reactor.callWhenRunning { story.note("running \(reactor.isRunning)") }
            reactor.callLater(.milliseconds(1)) { reactor.stop() }
            try reactor.run()
            #expect(!reactor.isRunning)
            #expect(story.lines.count == 4 * round)
        }
        #expect(
            story.lines == ["0.0 startup", "0.0 running true", "11.0 before", "11.0 after"]
                + ["11.0 startup", "11.0 running true", "22.0 before", "22.0 after"])
    }

    @Test func whatWouldSleepForEverIsAnError() throws {
        let reactor = SimulatedReactor()
        #expect(throws: SimulationError.nothingLeft) { try reactor.run() }
        reactor.callLater(.zero) {
            #expect(throws: SimulationError.nested) { try reactor.run(for: .seconds(1)) }
            #expect(throws: SimulationError.nested) { try reactor.run() }
            reactor.crash()
        }
        try reactor.run()
        #expect(!reactor.isRunning)
    }

    @Test func anErrorIsLoggedAndTheLoopGoesOn() throws {
        let log = LogLines()
        let reactor = SimulatedReactor(logger: log.logger)
        var isReached = false
        reactor.callLater(.zero) { throw Refusal() }
        reactor.callLater(.zero) { isReached = true }
        try reactor.run(for: .zero)
        #expect(isReached)
        #expect(log.lines == ["error: a delayed call threw: Refusal()"])
    }

    @Test func callsFromThreadsComeInTheirOrder() throws {
        let reactor = SimulatedReactor()
        let seen = LogLines()
        let handle = reactor.handle
        for number in 0..<5 { handle.callFromThread { _ in seen.add("\(number)") } }
        try reactor.run(for: .zero)
        #expect(seen.lines == ["0", "1", "2", "3", "4"])
    }

    @Test func blockingWorkIsDoneOnTheNextTurn() throws {
        let reactor = SimulatedReactor()
        var results: [String] = []
        reactor.callLater(.seconds(1)) {
            reactor.deferToThread { "done" }.addCallback { results.append($0) }
            reactor.deferToThread { () throws -> Void in throw Refusal() }.addErrback { results.append("\($0)") }
            let unwanted = reactor.deferToThread { () throws -> Void in Issue.record("it was cancelled") }
            unwanted.addErrback { _ in results.append("cancelled") }
            unwanted.cancel()
            results.append("asked")
        }
        try reactor.run(for: .seconds(1))
        #expect(results == ["cancelled", "asked", "done", "Refusal()"])
    }

    @Test func tasksRunOnItsTime() throws {
        let reactor = SimulatedReactor()
        let log = LogLines()
        let task: Task<Void, any Error> = reactor.task { reactor in
            for number in 1...3 {
                try await reactor.sleep(for: .seconds(10))
                log.add("tick \(number) at \(ReactorClock.Instant.start.duration(to: reactor.now))")
            }
            try await reactor.clock.sleep(for: .seconds(5))
            log.add("end at \(ReactorClock.Instant.start.duration(to: reactor.now))")
            do {
                try await reactor.withTimeout(.seconds(1)) { try await reactor.sleep(for: .seconds(9)) }
            } catch {
                log.add("\(error) at \(ReactorClock.Instant.start.duration(to: reactor.now))")
            }
            try await reactor.sleep(for: .seconds(1000))
        }
        try reactor.run(for: .seconds(100))
        #expect(
            log.lines == [
                "tick 1 at 10.0 seconds", "tick 2 at 20.0 seconds", "tick 3 at 30.0 seconds", "end at 35.0 seconds",
                "it took longer than 1.0 seconds at 36.0 seconds",
            ])
        task.cancel()
        try reactor.run(for: .zero)
        #expect(reactor.delayedCalls.isEmpty, "a task that was cancelled leaves no timer behind")
    }

    @Test func tasksTakeTurnsInTheSameOrderEachTime() throws {
        func run() throws -> [Int] {
            let reactor = SimulatedReactor()
            let order = Mutex<[Int]>([])
            for number in 0..<20 {
                reactor.task { reactor in
                    for round in 0..<5 {
                        try await reactor.sleep(for: .milliseconds((number * 7 + round * 3) % 5))
                        order.withLock { $0.append(number) }
                        await Task.yield()
                    }
                }
            }
            try reactor.run(for: .seconds(1))
            return order.withLock { $0 }
        }
        let first = try run()
        #expect(first.count == 100)
        for _ in 0..<5 { #expect(try run() == first) }
    }

    @Test func itsRandomNumbersBelongToItsSeed() {
        let numbers = { (seed: UInt64) in
            let reactor = SimulatedReactor(seed: seed)
            return (0..<4).map { _ in reactor.randomNumbers.next() }
        }
        #expect(numbers(1) == numbers(1))
        #expect(numbers(1) != numbers(2))
    }

    @Test func aTimeoutIsTestedWithoutWaiting() throws {
        final class Patient: LineReceiver {
            override func connectionMade() { setTimeout(.seconds(30)) }
            override func lineReceived(_ line: Span<UInt8>) { resetTimeout() }
        }
        let reactor = SimulatedReactor()
        let transport = StringTransport(reactor: reactor)
        try transport.connect(Patient())
        try reactor.run(for: .seconds(29))
        try transport.receive("still here\r\n")
        try reactor.run(for: .seconds(29))
        #expect(transport.state == .connected)
        try reactor.run(for: .seconds(1))
        #expect(transport.state == .disconnecting)
        #expect(transport.reason == .timedOut)
        transport.lose()
    }
}

/// A logger's memory.
final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])

    func add(_ line: String) { kept.withLock { $0.append(line) } }

    var lines: [String] { kept.withLock { $0 } }
    var logger: Logger { Logger(label: "twill.tests") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.kept.withLock { $0.append("\(event.level): \(event.message)") } }
    }
}
