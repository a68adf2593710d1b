import TestSupport
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
        #expect(seen == ["outer", "next", "inner"])
    }

    @Test func aCallAddedFromInsideTheOnlyCallIsMadeAfterIt() throws {
        let deferred = Deferred<Int>()
        var seen: [String] = []
        deferred.addCallback { _ in
            deferred.addCallback { _ in seen.append("inner") }
            seen.append("outer")
        }
        try deferred.succeed(1)
        #expect(seen == ["outer", "inner"])
    }

    @Test func whatACallMakesReadyGoesBeforeTheNextCall() throws {
        let deferred = Deferred<Int>()
        var seen: [String] = []
        deferred.addCallback { _ in seen.append("first") }.addCallback { seen.append("after the first") }
        deferred.addCallback { _ in seen.append("second") }
        try deferred.succeed(1)
        #expect(seen == ["first", "after the first", "second"])
    }

    @Test func errbacksMayReturnDeferreds() throws {
        let cure = Deferred<Int>()
        var seen: [Int] = []
        Deferred<Int>.fail(Refusal()).addErrback { _ in cure }.addCallback { seen.append($0) }
        Deferred<Int>.succeed(1).addErrback { _ in cure }.addCallback { seen.append($0) }
        #expect(seen == [1])
        try cure.succeed(2)
        #expect(seen == [1, 2])
    }

    @Test func bothAndCallbacksMayReturnDeferreds() throws {
        var seen: [String] = []
        for start in [Deferred<Int>.succeed(1), .fail(Refusal(number: 2))] {
            start.wasObserved = true
            let later = Deferred<String>()
            start.addBoth { (_: Result<Int, any Error>) in later }.addCallback { seen.append("both \($0)") }
            start.addCallbacks({ _ in later }, { _ in later }).addCallback { seen.append("callbacks \($0)") }
            #expect(seen.isEmpty)
            try later.succeed("later")
            #expect(seen == ["both later", "callbacks later"])
            seen = []
        }
    }

    @Test func whatTheCallbackOfCallbacksThrowsPassesItsErrbackBy() {
        var seen: [String] = []
        Deferred<Int>.succeed(1).addCallbacks(
            { _ -> Int in throw Refusal(number: 3) },
            { _ in
                seen.append("own errback")
                return 0
            }
        )
        .addErrback { error in
            seen.append("\((error as? Refusal)?.number ?? 0)")
            return 0
        }
        #expect(seen == ["3"])
    }

    @Test func aLinkFiresByItself() throws {
        let source = Deferred<Int>()
        let link = source.addCallback { $0 }
        #expect(throws: DeferredError.firesByItself) { try link.succeed(1) }
        try source.succeed(2)
        #expect(throws: DeferredError.alreadyFired) { try link.succeed(1) }
    }

    @Test func aCallbackThatReturnsItsOwnLinkFailsIt() throws {
        let source = Deferred<Int>()
        var link: Deferred<Int>?
        var caught: DeferredError?
        link = source.addCallback { _ in try #require(link) }
        link?.addErrback {
            caught = $0 as? DeferredError
            return 0
        }
        try source.succeed(1)
        #expect(caught == .waitsForItself)
    }

    @Test func maybeDeferredTakesWhateverACallComesTo() {
        var seen: [String] = []
        maybeDeferred { 1 }.addCallback { seen.append("\($0)") }
        maybeDeferred { Deferred.succeed("deferred") }.addCallback { seen.append($0) }
        maybeDeferred { () throws -> Int in throw Refusal() }.addErrback { _ in
            seen.append("thrown")
            return 0
        }
        maybeDeferred { () throws -> Deferred<Int> in throw Refusal() }.addErrback { _ in
            seen.append("thrown, too")
            return 0
        }
        #expect(seen == ["1", "deferred", "thrown", "thrown, too"])
    }

    @Test func aChainedOneFiresToo() throws {
        let source = Deferred<Int>()
        let mine = Deferred<Int>()
        let yours = Deferred<Int>()
        source.chainDeferred(mine)
        source.chainDeferred(yours)
        var seen: [String] = []
        mine.addErrback { error in
            #expect(error as? DeferredError == .cancelled)
            seen.append("mine was given up")
            return 0
        }
        yours.addCallback { seen.append("yours \($0)") }
        mine.cancel()
        #expect(!source.hasFired)
        try source.succeed(5)
        #expect(seen == ["mine was given up", "yours 5"])
    }
}
