import Testing

@testable import Twill

@Suite("Long chains of Deferreds", .nothingLivesOn)
struct DeferredChainTests {
    private static let length = 100_000

    @Test func aLongChainFiresWithoutRecursion() throws {
        let first = Deferred<Int>()
        var last = first
        for _ in 0..<Self.length { last = last.addCallback { $0 + 1 } }
        var seen = 0
        last.addCallback { seen = $0 }
        try first.succeed(0)
        #expect(seen == Self.length)
    }

    @Test func aLongChainOfErrorsFiresWithoutRecursion() throws {
        struct Refusal: Error {}
        let first = Deferred<Int>()
        var last = first
        for _ in 0..<Self.length { last = last.addCallback { $0 } }
        var wasCaught = false
        last.addErrback { _ in
            wasCaught = true
            return 0
        }
        try first.fail(Refusal())
        #expect(wasCaught)
    }

    @Test func aLongChainOfNestedDeferredsFiresWithoutRecursion() throws {
        let first = Deferred<Int>()
        var last = first
        for _ in 0..<Self.length {
            last = last.addCallback { Deferred<Int>(.success($0 + 1)) }
        }
        var seen = 0
        last.addCallback { seen = $0 }
        try first.succeed(0)
        #expect(seen == Self.length)
    }

    @Test func nestedDeferredsThatFireFromTheInsideOutDoSoWithoutRecursion() throws {
        // Each waits for the next; the last one's value comes back through all of them.
        let all = (0...Self.length).map { _ in Deferred<Int>() }
        var seen = 0
        var outer = Deferred<Int>(.success(0)).addCallback { _ in all[0] }
        for index in 0..<Self.length {
            let next = all[index + 1]
            outer = outer.addCallback { _ in next }
        }
        outer.addCallback { seen = $0 }
        for (index, deferred) in all.enumerated().reversed() { try deferred.succeed(index) }
        #expect(seen == Self.length)
    }

    @Test func aFiredDeferredLetsGoOfItsCalls() throws {
        final class Token {}
        let deferred = Deferred<Int>()
        var token: Token? = Token()
        weak let watched = token
        deferred.addCallback { [token] _ in _ = token }
        token = nil
        #expect(watched != nil)
        try deferred.succeed(1)
        #expect(watched == nil)
    }
}
