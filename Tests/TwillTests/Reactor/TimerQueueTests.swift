import TestSupport
import Testing

import class TwillTesting.ManualClock

@testable import Twill

@Suite("The queue of timers", .nothingLivesOn)
struct TimerQueueTests {
    private let time = ManualClock()
    private let queue: TimerQueue
    private let seen = Seen()

    private final class Seen {
        var names: [String] = []
    }

    init() {
        queue = TimerQueue(clock: time.clock)
    }

    @discardableResult
    private func add(_ name: String, after delay: Duration) -> DelayedCall {
        queue.add(after: delay) { [seen] in seen.names.append(name) }
    }

    private func fireDue() throws {
        for call in queue.takeDue() { try call.fire() }
    }

    @Test func callsAreMadeInTheOrderOfTheirTime() throws {
        add("c", after: .seconds(3))
        add("a", after: .seconds(1))
        add("b", after: .seconds(2))
        time.advance(by: .seconds(5))
        try fireDue()
        #expect(seen.names == ["a", "b", "c"])
    }

    @Test func callsOfOneMomentAreMadeInTheOrderInWhichTheyWereSet() throws {
        for number in 0..<100 { add("\(number)", after: .seconds(1)) }
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names == (0..<100).map { "\($0)" })
    }

    @Test func nothingIsDueBeforeItsTime() throws {
        add("a", after: .seconds(1))
        time.advance(by: .nanoseconds(999_999_999))
        #expect(queue.takeDue().isEmpty)
        time.advance(by: .nanoseconds(1))
        try fireDue()
        #expect(seen.names == ["a"])
        #expect(queue.takeDue().isEmpty)
    }

    @Test func aNegativeDelayCountsAsNone() throws {
        time.advance(by: .seconds(100))
        add("first", after: .zero)
        add("second", after: .seconds(-50))
        try fireDue()
        #expect(seen.names == ["first", "second"])
    }

    @Test func aDelayTooLongForTheClockNeverComes() throws {
        let call = add("never", after: .seconds(Int64.max))
        #expect(call.time == .never)
        time.advance(by: .seconds(1 << 32))
        #expect(queue.takeDue().isEmpty)
    }

    @Test func aCallOfNoDelayThatACallAddsIsDueAtTheNextLookOnly() throws {
        _ = queue.add(after: .zero) { [seen, queue] in
            seen.names.append("first")
            _ = queue.add(after: .zero) { seen.names.append("second") }
        }
        try fireDue()
        #expect(seen.names == ["first"])
        try fireDue()
        #expect(seen.names == ["first", "second"])
    }

    @Test func theNextTimeIsThatOfTheEarliestCall() throws {
        #expect(queue.nextTime == .never)
        let late = add("late", after: .seconds(9))
        let early = add("early", after: .seconds(2))
        #expect(queue.nextTime == early.time)
        try early.cancel()
        #expect(queue.nextTime == late.time)
        try late.cancel()
        #expect(queue.nextTime == .never)
    }

    @Test func theCallsThatWaitCanBeListed() throws {
        let calls = [add("a", after: .seconds(1)), add("b", after: .seconds(2))]
        #expect(Set(queue.calls.map(ObjectIdentifier.init)) == Set(calls.map(ObjectIdentifier.init)))
        try calls[0].cancel()
        #expect(queue.calls.count == 1)
    }

    @Test func emptyingTheQueueLetsGoOfEveryCall() {
        final class Token {}
        var token: Token? = Token()
        weak let watched = token
        for _ in 0..<10 { _ = queue.add(after: .seconds(1)) { [token] in _ = token } }
        token = nil
        #expect(watched != nil)
        queue.removeAll()
        #expect(watched == nil)
        #expect(queue.calls.isEmpty)
        #expect(queue.nextTime == .never)
    }

    @Test func aMillionTimersAreAddedCancelledAndFiredInOrder() throws {
        let count = 1_000_000
        var generator = SeededGenerator(seed: 1)
        let tally = Tally()
        var calls: [DelayedCall] = []
        let start = threadProcessorTime()
        for _ in 0..<count {
            let delay = Int64.random(in: 0..<1_000_000_000, using: &generator)
            calls.append(queue.add(after: .nanoseconds(delay)) { tally.note(delay) })
        }
        for index in stride(from: 0, to: count, by: 2) { try calls[index].cancel() }
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(tally.count == count / 2)
        #expect(tally.isInOrder)
        // A debug build takes some seconds, with a sanitizer a minute; a queue that is not logarithmic would take hours.
        #expect(threadProcessorTime() - start < .seconds(300))
    }

    private final class Tally {
        var count = 0
        var isInOrder = true
        private var last: Int64 = -1

        func note(_ delay: Int64) {
            if delay < last { isInOrder = false }
            last = delay
            count += 1
        }
    }
}
