import TestSupport
import Testing

import class TwillTesting.ManualClock

@testable import Twill

@Suite("Delayed calls", .nothingLivesOn)
struct DelayedCallTests {
    private let time = ManualClock()
    private let queue: TimerQueue
    private let seen = Seen()

    private final class Seen {
        var names: [String] = []
    }

    init() {
        queue = TimerQueue(clock: time.clock)
    }

    private func add(_ name: String, after delay: Duration) -> DelayedCall {
        queue.add(after: delay) { [seen] in seen.names.append(name) }
    }

    private func fireDue() throws {
        for call in queue.takeDue() { try call.fire() }
    }

    @Test func aCancelledCallIsNotMade() throws {
        let call = add("a", after: .seconds(1))
        #expect(call.isActive)
        try call.cancel()
        #expect(!call.isActive)
        time.advance(by: .seconds(2))
        try fireDue()
        #expect(seen.names.isEmpty)
    }

    @Test func aCancelledCallCanNotBeCancelledOrMovedAgain() throws {
        let call = add("a", after: .seconds(1))
        try call.cancel()
        #expect(throws: DelayedCall.Failure.alreadyCancelled) { try call.cancel() }
        #expect(throws: DelayedCall.Failure.alreadyCancelled) { try call.reset(.seconds(1)) }
        #expect(throws: DelayedCall.Failure.alreadyCancelled) { try call.delay(by: .seconds(1)) }
    }

    @Test func aCallThatWasMadeCanNotBeCancelledOrMoved() throws {
        let call = add("a", after: .seconds(1))
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(!call.isActive)
        #expect(throws: DelayedCall.Failure.alreadyCalled) { try call.cancel() }
        #expect(throws: DelayedCall.Failure.alreadyCalled) { try call.reset(.seconds(1)) }
        #expect(throws: DelayedCall.Failure.alreadyCalled) { try call.delay(by: .seconds(1)) }
    }

    @Test func aCallThatIsRunningCountsAsMade() throws {
        var call: DelayedCall?
        var failure: (any Error)?
        call = queue.add(after: .zero) {
            do { try call?.cancel() } catch { failure = error }
        }
        try fireDue()
        #expect(failure as? DelayedCall.Failure == .alreadyCalled)
    }

    @Test func resettingToALaterTimeHoldsTheCallBack() throws {
        let call = add("a", after: .seconds(1))
        try call.reset(.seconds(5))
        time.advance(by: .seconds(4))
        try fireDue()
        #expect(seen.names.isEmpty)
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names == ["a"])
    }

    @Test func resettingToAnEarlierTimeHastensTheCall() throws {
        let call = add("a", after: .seconds(10))
        _ = add("b", after: .seconds(5))
        try call.reset(.seconds(2))
        #expect(queue.nextTime == call.time)
        time.advance(by: .seconds(2))
        try fireDue()
        #expect(seen.names == ["a"])
    }

    @Test func resettingLaterAndThenEarlierAgainTakesTheLastWord() throws {
        let call = add("a", after: .seconds(4))
        try call.reset(.seconds(8))
        try call.reset(.seconds(6))
        time.advance(by: .seconds(5))
        try fireDue()
        #expect(seen.names.isEmpty)
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names == ["a"])
    }

    @Test func resettingPutsTheCallBehindOthersOfTheSameMoment() throws {
        let call = add("a", after: .seconds(1))
        _ = add("b", after: .seconds(1))
        try call.reset(.seconds(1))
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names == ["b", "a"])
    }

    @Test func resettingToANegativeTimeCountsAsNoDelay() throws {
        time.advance(by: .seconds(9))
        let call = add("a", after: .seconds(1))
        try call.reset(.seconds(-3))
        #expect(call.time == time.clock.now)
        try fireDue()
        #expect(seen.names == ["a"])
    }

    @Test func delayingAddsToTheTimeThatWasSet() throws {
        let call = add("a", after: .seconds(3))
        time.advance(by: .seconds(2))
        try call.delay(by: .seconds(4))
        #expect(call.time == ReactorClock.Instant(nanoseconds: 7_000_000_000))
        try call.delay(by: .seconds(-5))
        #expect(call.time == ReactorClock.Instant(nanoseconds: 2_000_000_000))
        try fireDue()
        #expect(seen.names == ["a"])
    }

    @Test func aCallMayBeCancelledByAnEarlierOneOfTheSameBatch() throws {
        var second: DelayedCall?
        _ = queue.add(after: .seconds(1)) { try second?.cancel() }
        second = add("second", after: .seconds(1))
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names.isEmpty)
        #expect(queue.calls.isEmpty)
    }

    @Test func aCallMayBeMovedByAnEarlierOneOfTheSameBatch() throws {
        var second: DelayedCall?
        _ = queue.add(after: .seconds(1)) { try second?.reset(.seconds(3)) }
        second = add("second", after: .seconds(1))
        time.advance(by: .seconds(1))
        try fireDue()
        #expect(seen.names.isEmpty)
        #expect(second?.isActive == true)
        time.advance(by: .seconds(3))
        try fireDue()
        #expect(seen.names == ["second"])
    }

    @Test func whatACallHoldsIsLetGoWhenItIsMadeOrCancelled() throws {
        final class Token {}
        var tokens: [Token] = [Token(), Token()]
        weak let first = tokens[0]
        weak let second = tokens[1]
        let calls = tokens.map { token in queue.add(after: .zero) { _ = token } }
        tokens = []
        try calls[0].cancel()
        #expect(first == nil)
        #expect(second != nil)
        try fireDue()
        #expect(second == nil)
    }

    @Test func anErrorOfACallReachesWhoeverMakesIt() throws {
        struct Refusal: Error {}
        let call = queue.add(after: .zero) { throw Refusal() }
        #expect(throws: Refusal.self) { try fireDue() }
        #expect(!call.isActive)
    }
}
