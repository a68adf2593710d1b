import Testing

@testable import Twill

@Suite("Deferred", .nothingLivesOn)
struct DeferredTests {
    private struct Refusal: Error, Equatable {
        var number = 0
    }

    @Test func callsAreMadeInTheOrderInWhichTheyWereAdded() throws {
        let deferred = Deferred<Int>()
        var seen: [String] = []
        deferred.addCallback { seen.append("a\($0)") }
        deferred.addCallback { seen.append("b\($0)") }
        #expect(seen.isEmpty)
        #expect(!deferred.hasFired)
        try deferred.succeed(7)
        #expect(seen == ["a7", "b7"])
        #expect(deferred.hasFired)
    }

    @Test func aCallThatIsAddedAfterFiringIsMadeAtOnce() throws {
        let deferred = Deferred<Int>(.success(3))
        var seen: [Int] = []
        deferred.addCallback { seen.append($0) }
        #expect(seen == [3])
    }

    @Test func eachLinkGetsWhatTheOneBeforeReturned() throws {
        let deferred = Deferred<Int>()
        var seen = ""
        deferred.addCallback { $0 * 2 }.addCallback { "got \($0)" }.addCallback { seen = $0 }
        try deferred.succeed(21)
        #expect(seen == "got 42")
    }

    @Test func anErrorPassesCallbacksByAndReachesTheErrback() throws {
        let deferred = Deferred<Int>()
        var seen: [String] = []
        deferred
            .addCallback { value in
                seen.append("skipped")
                return value
            }
            .addErrback { error in
                seen.append("\(error as? Refusal == Refusal(number: 1))")
                return 5
            }
            .addCallback { seen.append("then \($0)") }
        try deferred.fail(Refusal(number: 1))
        #expect(seen == ["true", "then 5"])
    }

    @Test func aValuePassesAnErrbackBy() throws {
        let deferred = Deferred<Int>()
        var seen = 0
        deferred.addErrback { _ in -1 }.addCallback { seen = $0 }
        try deferred.succeed(8)
        #expect(seen == 8)
    }

    @Test func whatACallbackThrowsIsTheNextLinksError() throws {
        let deferred = Deferred<Int>()
        var caught: Refusal?
        deferred.addCallback { (number: Int) throws -> Void in throw Refusal(number: number) }.addErrback { caught = $0 as? Refusal }
        try deferred.succeed(9)
        #expect(caught == Refusal(number: 9))
    }

    @Test func whatAnErrbackThrowsIsTheNextLinksError() throws {
        let deferred = Deferred<Int>()
        var caught: Refusal?
        deferred.addErrback { _ in throw Refusal(number: 2) }.addErrback {
            caught = $0 as? Refusal
            return 0
        }
        try deferred.fail(Refusal(number: 1))
        #expect(caught == Refusal(number: 2))
    }

    @Test func addBothSeesEitherEnd() throws {
        var seen: [String] = []
        for result in [Result<Int, any Error>.success(1), .failure(Refusal())] {
            Deferred(result).addBoth { result in
                if case .success = result { seen.append("success") } else { seen.append("failure") }
            }
        }
        #expect(seen == ["success", "failure"])
    }

    @Test func addCallbacksMakesOnlyTheOneThatFits() throws {
        let seen = Deferred<Int>(.failure(Refusal())).addCallbacks({ _ in "value" }, { _ in "error" })
        var text = ""
        seen.addCallback { text = $0 }
        #expect(text == "error")
    }

    @Test func aDeferredThatACallbackReturnsIsWaitedFor() throws {
        let outer = Deferred<Int>()
        let inner = Deferred<String>()
        var seen: [String] = []
        outer.addCallback { _ in inner }.addCallback { seen.append($0) }
        try outer.succeed(1)
        #expect(seen.isEmpty)
        try inner.succeed("inner")
        #expect(seen == ["inner"])
    }

    @Test func aReturnedDeferredThatFiredBeforeGoesOnAtOnce() throws {
        var seen = ""
        Deferred<Int>(.success(1)).addCallback { _ in Deferred<String>(.success("early")) }.addCallback { seen = $0 }
        #expect(seen == "early")
    }

    @Test func theErrorOfAReturnedDeferredIsTheChainsError() throws {
        let inner = Deferred<Int>()
        var caught: Refusal?
        Deferred<Int>(.success(1)).addCallback { _ in inner }.addErrback {
            caught = $0 as? Refusal
            return 0
        }
        try inner.fail(Refusal(number: 4))
        #expect(caught == Refusal(number: 4))
    }

    @Test func firingTwiceIsAnErrorAndChangesNothing() throws {
        let deferred = Deferred<Int>()
        var seen: [Int] = []
        deferred.addCallback { seen.append($0) }
        try deferred.succeed(1)
        #expect(throws: DeferredError.alreadyFired) { try deferred.succeed(2) }
        #expect(throws: DeferredError.alreadyFired) { try deferred.fail(Refusal()) }
        #expect(throws: DeferredError.alreadyFired) { try Deferred<Int>(.success(1)).succeed(1) }
        #expect(seen == [1])
    }

    @Test func aCallAddedFromInsideACallIsMadeToo() throws {
        let deferred = Deferred<Int>()
        var seen: [String] = []
        deferred.addCallback { _ in
            seen.append("outer")
            deferred.addCallback { _ in seen.append("inner") }
        }
        deferred.addCallback { _ in seen.append("next") }
        try deferred.succeed(1)
        #expect(seen.sorted() == ["inner", "next", "outer"])
        #expect(seen.first == "outer")
    }
}
