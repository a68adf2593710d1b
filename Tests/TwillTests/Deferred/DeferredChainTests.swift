import CAllocationCounter
import TestSupport
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

    private func chain(from first: Deferred<Int>, keeping: Bool = false) -> [Deferred<Int>] {
        var last = first
        var kept: [Deferred<Int>] = []
        for _ in 0..<Self.length {
            last = last.addCallback { $0 + 1 }
            if keeping { kept.append(last) }
        }
        return keeping ? kept : [last]
    }

    @Test(arguments: [false, true]) func aLongChainIsDroppedWithoutRecursion(keeping: Bool) {
        var first: Deferred<Int>? = Deferred()
        var kept = first.map { chain(from: $0, keeping: keeping) }
        first = nil
        #expect(kept?.last?.hasFired == false)
        kept = nil
    }

    @Test func aLongKeptChainFires() throws {
        let first = Deferred<Int>()
        let kept = chain(from: first, keeping: true)
        try first.succeed(0)
        #expect(kept.allSatisfy { $0.hasFired })
        #expect(kept.last?.result.map { (try? $0.get()) == Self.length } == true)
    }

    @Test func aLongChainIsCancelledFromItsEnd() {
        let first = Deferred<Int>()
        let last = chain(from: first)[0]
        last.cancel()
        #expect(first.hasFired)
        #expect(last.hasFired)
        last.wasObserved = true
    }

    @Test func manyLinksOfOneDeferredAreServedAndDropped() throws {
        let wide = Deferred<Int>()
        var seen = 0
        for _ in 0..<Self.length { wide.addCallback { seen += $0 } }
        try wide.succeed(1)
        #expect(seen == Self.length)
        let dropped = Deferred<Int>()
        for _ in 0..<Self.length { dropped.addCallback { _ in } }
    }

    /// A Deferred whose callback returns one whose callback returns one …; each is captured by the closure of the one before.
    private func nest() -> (sources: [Deferred<Int>], outermost: Deferred<Int>) {
        var sources: [Deferred<Int>] = []
        var inner = Deferred<Int>.succeed(0)
        for _ in 0..<Self.length {
            let source = Deferred<Int>()
            let next = inner
            sources.append(source)
            inner = source.addCallback { _ in next }.addCallback { $0 + 1 }
        }
        return (sources, inner)
    }

    @Test func nestedDeferredsFireWithoutRecursionInEitherOrder() throws {
        for insideOut in [false, true] {
            let (sources, outermost) = nest()
            for source in insideOut ? sources : sources.reversed() { try source.succeed(0) }
            #expect(try outermost.result?.get() == Self.length)
        }
    }

    @Test func nestedDeferredsAreDroppedWithoutRecursion() throws {
        do {
            // The closures hold the links, the links are held by sources.
            let (sources, outermost) = nest()
            _ = sources
            _ = outermost
        }
        do {
            // Each waits for the next inner one; nobody fires the innermost.
            let (sources, outermost) = nest()
            for source in sources.dropFirst().reversed() { try source.succeed(0) }
            #expect(!outermost.hasFired)
        }
        do {
            // The closure of each source's link holds the next source and nobody else does.
            var source = Deferred<Int>()
            for _ in 0..<Self.length {
                let outer = Deferred<Int>()
                let inner = source
                outer.addCallback { _ in inner }
                source = outer
            }
        }
        do {
            // The same by cancellers.
            var source = Deferred<Int>()
            for _ in 0..<Self.length {
                let inner = source
                source = Deferred(canceller: { _ in inner.cancel() })
            }
        }
    }

    @Test func chainedDeferredsFireWithoutRecursion() throws {
        let first = Deferred<Int>()
        var last = first
        for _ in 0..<Self.length {
            let next = Deferred<Int>()
            last.chainDeferred(next)
            last = next
        }
        try first.succeed(4)
        #expect(try last.result?.get() == 4)
    }

    @Test func gatheredDeferredsOfGatheredDeferredsFireWithoutRecursion() throws {
        let first = Deferred<Int>()
        var last = first
        for _ in 0..<Self.length { last = gatherResults([last]).addCallback { $0[0] + 1 } }
        try first.succeed(0)
        #expect(try last.result?.get() == Self.length)
    }

    @Test func aChainTakesTimeInProportionToItsLength() throws {
        func time(_ length: Int) throws -> Duration {
            try ContinuousClock().measure {
                let source = Deferred<Int>()
                var last = source
                for _ in 0..<length { last = last.addCallback { $0 + 1 } }
                try source.succeed(0)
                let (sources, _) = ((0..<length).map { _ in Deferred<Int>() }, 0)
                for (one, other) in zip(sources, sources.dropFirst()) { one.addCallback { _ in other } }
            }
        }
        _ = try time(1000)
        // Ten times as long takes ten times as long; where it were quadratic, a hundred times.
        #expect(try time(100_000) < max(time(10_000), .milliseconds(20)) * 50)
    }

    @Test func aLinkCostsOneAllocation() throws {
        guard twill_allocation_count() >= 0 else { return }
        var source: Deferred<Int>? = Deferred()
        func add(_ count: Int) -> Int {
            let before = twill_allocation_count()
            for _ in 0..<count { source?.addCallback(Self.plain) }
            return twill_allocation_count() - before
        }
        _ = add(10)
        let count = add(1000)
        #if DEBUG
        // Objects are counted for tests that look for leaks, and nothing is optimised: three more.
        #expect(count <= 4000, "\(count) allocations for 1000 links")
        #else
        #expect(count == 1000)
        #endif
        source = nil
    }

    private static func plain(_ value: Int) -> Int { value }
}
