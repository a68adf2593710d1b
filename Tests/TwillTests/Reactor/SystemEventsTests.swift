import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("System events", .nothingLivesOn)
struct SystemEventsTests {
    private struct Refusal: Error {}

    private final class Harness {
        let log = RecordedLog()
        var seen: [String] = []
        var postponed: [() -> Void] = []
        private(set) var events: SystemEvents?

        init() {
            events = SystemEvents(logger: { [log] in log.logger }, later: { [unowned self] in postponed.append($0) })
        }

        @discardableResult
        func add(_ phase: SystemEventPhase, _ name: String, to event: SystemEvent = .startup) -> SystemEventTrigger? {
            events?.add(phase, event) { [unowned self] in
                seen.append(name)
                return nil
            }
        }

        func fire(_ event: SystemEvent = .startup) {
            events?.fire(event) { [unowned self] in seen.append("event") }
        }

        /// Plays the reactor's next turn.
        func turn() {
            let calls = postponed
            postponed = []
            for call in calls { call() }
        }
    }

    @Test func phasesComeInOrderAndCallsInTheOrderInWhichTheyWereAdded() {
        let harness = Harness()
        harness.add(.after, "after 1")
        harness.add(.during, "during 1")
        harness.add(.before, "before 1")
        harness.add(.before, "before 2")
        harness.add(.during, "during 2")
        harness.add(.after, "after 2")
        harness.fire()
        #expect(harness.seen == ["before 1", "before 2", "during 1", "during 2", "event", "after 1", "after 2"])
    }

    @Test func eachCallIsMadeOnce() {
        let harness = Harness()
        harness.add(.during, "a")
        harness.fire()
        harness.fire()
        #expect(harness.seen == ["a", "event", "event"])
    }

    @Test func eventsDoNotSeeEachOthersCalls() {
        let harness = Harness()
        harness.add(.during, "mine", to: SystemEvent("mine"))
        harness.fire(.shutdown)
        #expect(harness.seen == ["event"])
        harness.fire(SystemEvent("mine"))
        #expect(harness.seen == ["event", "mine", "event"])
    }

    @Test func whatComesBeforeMayKeepTheEventWaiting() throws {
        let harness = Harness()
        let first = Deferred<Void>()
        let second = Deferred<Void>()
        _ = harness.events?.add(.before, .startup) { first }
        _ = harness.events?.add(.before, .startup) { second }
        harness.add(.during, "during")
        harness.fire()
        #expect(harness.seen.isEmpty)
        try second.succeed(())
        harness.turn()
        #expect(harness.seen.isEmpty)
        try first.succeed(())
        #expect(harness.seen.isEmpty, "the event goes on outside of the call that let it")
        harness.turn()
        #expect(harness.seen == ["during", "event"])
    }

    @Test func aDeferredThatFailsIsLoggedAndWaitedForNoLonger() throws {
        let harness = Harness()
        let deferred = Deferred<Void>()
        _ = harness.events?.add(.before, .shutdown) { deferred }
        harness.fire(.shutdown)
        try deferred.fail(Refusal())
        harness.turn()
        #expect(harness.seen == ["event"])
        #expect(harness.log.count(containing: "a call before shutdown failed: Refusal()") == 1)
    }

    @Test func aDeferredThatFiredAlreadyKeepsNothingWaiting() {
        let harness = Harness()
        _ = harness.events?.add(.before, .startup) { Deferred(.success(())) }
        harness.fire()
        harness.turn()
        #expect(harness.seen == ["event"])
    }

    @Test func aCallThatThrowsIsLoggedAndStopsNoOther() {
        let harness = Harness()
        for phase in [SystemEventPhase.before, .during, .after] {
            _ = harness.events?.add(phase, .startup) { throw Refusal() }
            harness.add(phase, "\(phase)")
        }
        harness.fire()
        #expect(harness.seen == ["before", "during", "event", "after"])
        #expect(harness.log.count(containing: "threw: Refusal()") == 3)
    }

    @Test func aCallBeforeTheEventMayRemoveOneDuringIt() {
        let harness = Harness()
        let during = harness.add(.during, "during")
        _ = harness.events?.add(.before, .startup) {
            #expect(during.map { harness.events?.remove($0) } == true)
            return nil
        }
        harness.fire()
        #expect(harness.seen == ["event"])
    }

    @Test func aRemovedCallIsNotMadeAndCanNotBeRemovedAgain() throws {
        let harness = Harness()
        let trigger = try #require(harness.add(.before, "a"))
        harness.add(.before, "b")
        #expect(harness.events?.remove(trigger) == true)
        #expect(harness.events?.remove(trigger) == false)
        harness.fire()
        #expect(harness.seen == ["b", "event"])
    }

    @Test func aCallThatWasMadeCanNotBeRemoved() throws {
        let harness = Harness()
        let trigger = try #require(harness.add(.before, "a"))
        harness.fire()
        #expect(harness.events?.remove(trigger) == false)
    }

    @Test func aCallMayAddAnotherToItsOwnPhase() {
        let harness = Harness()
        _ = harness.events?.add(.during, .startup) {
            harness.add(.during, "added")
            return nil
        }
        harness.fire()
        #expect(harness.seen == ["added", "event"])
    }
}
