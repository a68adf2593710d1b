import TestSupport
import Testing

@testable import Twill

@Suite("Several Deferreds together", .nothingLivesOn)
struct GatheringTests {
    private struct Refusal: Error, Equatable {
        var number = 0
    }

    private func outcome<Value>(of deferred: Deferred<Value>) -> () -> Result<Value, any Error>? {
        var outcome: Result<Value, any Error>?
        deferred.addBoth { outcome = $0 }
        return { outcome }
    }

    @Test func valuesAreGatheredInTheOrderGiven() throws {
        let inputs = (0..<3).map { _ in Deferred<Int>() }
        let seen = outcome(of: gatherResults(inputs))
        for index in [2, 0, 1] {
            #expect(seen() == nil)
            try inputs[index].succeed(index * 10)
        }
        #expect(try seen()?.get() == [0, 10, 20])
        #expect(try outcome(of: gatherResults([Deferred<Int>]()))()?.get() == [])
        #expect(try outcome(of: gatherResults([Deferred.succeed("there")]))()?.get() == ["there"])
    }

    @Test func theFirstErrorEndsGathering() throws {
        let inputs = (0..<3).map { _ in Deferred<Int>() }
        let seen = outcome(of: gatherResults(inputs, consumeErrors: true))
        try inputs[1].fail(Refusal(number: 1))
        let error = #expect(throws: FirstError.self) { try seen()?.get() }
        #expect(error?.index == 1)
        #expect(error?.error as? Refusal == Refusal(number: 1))
        // The others go on.
        try inputs[0].fail(Refusal(number: 0))
        try inputs[2].succeed(2)
    }

    @Test func aListHasWhateverCame() throws {
        let inputs = (0..<2).map { _ in Deferred<Int>() }
        let seen = outcome(of: DeferredList(inputs))
        try inputs[1].succeed(1)
        try inputs[0].fail(Refusal())
        let results = try #require(try seen()?.get())
        #expect(throws: Refusal()) { try results[0].get() }
        #expect(try results[1].get() == 1)
        let none = try outcome(of: DeferredList([Deferred<Int>]()))()?.get()
        #expect(none?.isEmpty == true)
    }

    @Test func aListMayFireOnOneErrback() throws {
        let inputs = (0..<2).map { _ in Deferred<Int>() }
        let seen = outcome(of: DeferredList(inputs, fireOnOneErrback: true))
        try inputs[0].succeed(1)
        #expect(seen() == nil)
        try inputs[1].fail(Refusal())
        #expect(throws: FirstError.self) { try seen()?.get() }
    }

    @Test func theFirstValueMayBeEnough() throws {
        let inputs = (0..<3).map { _ in Deferred<Int>() }
        let seen = outcome(of: DeferredList.fireOnOneCallback(inputs))
        try inputs[0].fail(Refusal())
        try inputs[2].succeed(20)
        let first = try #require(try seen()?.get())
        #expect(first == (2, 20))
        #expect(!inputs[1].hasFired)
    }

    @Test func theLosersOfARaceAreCancelledBeforeTheWinnerIsTold() throws {
        var events: [String] = []
        let inputs = (0..<3).map { index in Deferred<Int>(canceller: { _ in events.append("cancelled \(index)") }) }
        race(inputs).addCallback { events.append("winner \($0.index): \($0.value)") }
        try inputs[1].succeed(7)
        #expect(events == ["cancelled 0", "cancelled 2", "winner 1: 7"])
    }

    @Test func aWinnerThatIsThereAlreadyCancelsAll() throws {
        let inputs = [Deferred<Int>(), .succeed(1), Deferred<Int>()]
        let seen = outcome(of: race(inputs))
        #expect(try #require(try seen()?.get()) == (1, 1))
        #expect(inputs.allSatisfy { $0.hasFired })
    }

    @Test func aRaceThatAllLoseSaysWhy() throws {
        let inputs = (0..<2).map { _ in Deferred<Int>() }
        let seen = outcome(of: race(inputs))
        try inputs[1].fail(Refusal(number: 1))
        try inputs[0].fail(Refusal(number: 0))
        let error = #expect(throws: FailureGroup.self) { try seen()?.get() }
        #expect(error?.errors as? [Refusal] == [Refusal(number: 0), Refusal(number: 1)])
        #expect(throws: FailureGroup.self) { try outcome(of: race([Deferred<Int>]()))()?.get() }
    }

    @Test func cancellingOneCancelsAllThatItWaitsFor() throws {
        for make in [
            { (inputs: [Deferred<Int>]) -> AnyDeferred in gatherResults(inputs, consumeErrors: true) }, { DeferredList($0) }, { race($0) },
            { DeferredList.fireOnOneCallback($0).addCallback { _ in } },
        ] {
            let inputs = (0..<3).map { _ in Deferred<Int>() }
            let together = make(inputs)
            together.cancel()
            #expect(together.hasFired)
            #expect(inputs.allSatisfy { $0.hasFired })
        }
    }

    @Test func whatNobodyWillFireIsNotKeptAlive() {
        // Held by nothing but each other, which .nothingLivesOn would tell.
        _ = gatherResults((0..<3).map { _ in Deferred<Int>() })
        _ = DeferredList((0..<3).map { _ in Deferred<Int>() })
        _ = race((0..<3).map { _ in Deferred<Int>() })
    }
}
