import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Cooperator", .nothingLivesOn)
struct CooperatorTests {
    private struct Refusal: Error {}

    private final class Log {
        var lines: [String] = []
    }

    private func steps(_ name: String, _ count: Int, _ log: Log) -> some Sequence<Void> {
        (1...count).lazy.map { log.lines.append("\(name)\($0)") }
    }

    private func outcome(of task: CooperativeTask) -> () -> String {
        var text = "nothing"
        task.whenDone().addBoth { result in
            switch result {
            case .success: text = "done"
            case .failure(let error): text = "\(error)"
            }
        }
        return { text }
    }

    @Test func tasksTakeTurns() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let cooperator = Cooperator(on: reactor)
        let first = outcome(of: cooperator.cooperate(steps("a", 3, log)))
        let second = outcome(of: cooperator.cooperate(steps("b", 2, log)))
        #expect(log.lines.isEmpty)
        try reactor.advance(by: .zero)
        #expect(log.lines == ["a1", "b1", "a2", "b2", "a3"])
        #expect(first() == "done")
        #expect(second() == "done")
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aSliceEndsWhenItsTimeHasGone() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let cooperator = Cooperator(on: reactor, slice: .milliseconds(10))
        // Each step takes 4 ms: three of them make a slice.
        for name in ["a", "b"] {
            cooperator.cooperate(
                (1...4).lazy.map { number in
                    log.lines.append("\(name)\(number)")
                    reactor.pass(.milliseconds(4))
                })
        }
        try reactor.jump(by: .zero)
        #expect(log.lines == ["a1", "b1", "a2"])
        try reactor.jump(by: .zero)
        #expect(log.lines == ["a1", "b1", "a2", "b2", "a3", "b3"])
        try reactor.jump(by: .zero)
        #expect(log.lines.suffix(2) == ["a4", "b4"])
        try reactor.jump(by: .zero)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func pausesAreCounted() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let task = Cooperator(on: reactor).cooperate(steps("a", 2, log))
        task.pause()
        task.pause()
        try reactor.advance(by: .zero)
        try task.resume()
        try reactor.advance(by: .zero)
        #expect(log.lines.isEmpty)
        try task.resume()
        try reactor.advance(by: .zero)
        #expect(log.lines == ["a1", "a2"])
        #expect(task.isDone)
        #expect(throws: CooperativeTask.Failure.notPaused) { try task.resume() }
    }

    @Test func aTaskThatIsStoppedSaysSo() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let cooperator = Cooperator(on: reactor)
        let task = cooperator.cooperate(steps("a", 2, log))
        let seen = outcome(of: task)
        task.stop()
        task.stop()
        #expect(seen() == "\(CooperativeTask.Failure.stopped)")
        try reactor.advance(by: .zero)
        #expect(log.lines.isEmpty)
        #expect(outcome(of: task)() == "\(CooperativeTask.Failure.stopped)")
    }

    @Test func thatATaskWasStoppedIsNotLogged() {
        let log = RecordedLog()
        UnhandledErrors.$logger.withValue(log.logger) {
            let reactor = VirtualReactor()
            Cooperator(on: reactor).cooperate { .goOn }.stop()
            reactor.end()
        }
        #expect(log.entries.isEmpty)
    }

    @Test func aDeferredIsWaitedForWhileOthersGoOn() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let cooperator = Cooperator(on: reactor)
        let answers = [Deferred<Int>(), Deferred<Int>()]
        let task = cooperator.cooperate(
            answers.indices.lazy.map { index in
                log.lines.append("asked \(index)")
                return answers[index]
            })
        let seen = outcome(of: task)
        cooperator.cooperate(steps("b", 2, log))
        try reactor.advance(by: .zero)
        #expect(log.lines == ["asked 0", "b1", "b2"])
        try answers[0].succeed(1)
        try reactor.advance(by: .zero)
        #expect(log.lines.last == "asked 1")
        try answers[1].fail(Refusal())
        #expect(seen() == "Refusal()")
    }

    @Test func stoppingCancelsWhatIsWaitedFor() throws {
        let reactor = VirtualReactor()
        let cooperator = Cooperator(on: reactor)
        let answer = Deferred<Void>()
        let task = cooperator.cooperate { .wait(answer) }
        try reactor.advance(by: .zero)
        task.stop()
        #expect(answer.hasFired)
        // From inside the step.
        let late = Deferred<Void>()
        var second: CooperativeTask?
        second = cooperator.cooperate {
            second?.stop()
            return .wait(late)
        }
        try reactor.advance(by: .zero)
        #expect(late.hasFired)
        second = nil
    }

    @Test func whatAStepThrowsIsItsEndAndIsLoggedWhereNobodyAsks() throws {
        let log = RecordedLog()
        try UnhandledErrors.$logger.withValue(log.logger) {
            let reactor = VirtualReactor()
            let cooperator = Cooperator(on: reactor)
            let seen = outcome(of: cooperator.cooperate { throw Refusal() })
            cooperator.cooperate { throw Refusal() }
            try reactor.advance(by: .zero)
            #expect(seen() == "Refusal()")
        }
        #expect(log.entries.count == 1)
    }

    @Test func aStoppedCooperatorStopsAll() throws {
        let reactor = VirtualReactor()
        let log = Log()
        let cooperator = Cooperator(on: reactor)
        let waiting = Deferred<Void>()
        let tasks = [cooperator.cooperate(steps("a", 2, log)), cooperator.cooperate { .wait(waiting) }]
        try reactor.jump(by: .zero)
        tasks[1].pause()
        let seen = tasks.map { outcome(of: $0) }
        cooperator.stop()
        let late = outcome(of: cooperator.cooperate(steps("c", 1, log)))
        #expect(seen[1]() == "\(CooperativeTask.Failure.stopped)")
        #expect(late() == "\(CooperativeTask.Failure.stopped)")
        #expect(waiting.hasFired)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func workGoesOnWhileNobodyHoldsIt() throws {
        let reactor = VirtualReactor()
        let log = Log()
        Cooperator(on: reactor).cooperate(steps("a", 2, log))
        try reactor.advance(by: .zero)
        #expect(log.lines == ["a1", "a2"])
    }

    @Test func workThatIsLeftUndoneGoesWithTheReactor() throws {
        let reactor = VirtualReactor()
        let cooperator = Cooperator(on: reactor)
        for _ in 0..<3 { cooperator.cooperate { .goOn } }
        let paused = cooperator.cooperate { .goOn }
        paused.pause()
        // .nothingLivesOn looks for the tasks' Deferreds.
        reactor.end()
    }

    @Test func manyTasksTakeTimeInProportionToTheirNumber() throws {
        let reactor = VirtualReactor()
        let cooperator = Cooperator(on: reactor)
        var count = 0
        for _ in 0..<20_000 {
            cooperator.cooperate {
                count += 1
                return .finished
            }
        }
        try reactor.advance(by: .zero)
        #expect(count == 20_000)
    }
}
