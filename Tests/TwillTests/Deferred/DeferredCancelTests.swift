import TestSupport
import Testing

@testable import Twill

@Suite("Cancelling Deferreds", .nothingLivesOn)
struct DeferredCancelTests {
    private func watch<Value>(_ deferred: Deferred<Value>) -> () -> String {
        var text = "nothing"
        deferred.addBoth { result in
            switch result {
            case .success(let value): text = "\(value)"
            case .failure(let error): text = "\(error as? DeferredError == .cancelled ? "cancelled" : "\(error)")"
            }
        }
        return { text }
    }

    @Test func theCancellerIsCalledOnceAndTheDeferredFails() {
        var calls = 0
        let deferred = Deferred<Int>(canceller: { _ in calls += 1 })
        let seen = watch(deferred)
        deferred.cancel()
        deferred.cancel()
        #expect(calls == 1)
        #expect(seen() == "cancelled")
        #expect(throws: DeferredError.alreadyFired) { try deferred.succeed(1) }
    }

    @Test func theCancellerMayFireItItself() {
        let value = Deferred<Int>(canceller: { try? $0.succeed(7) })
        let error = Deferred<Int>(canceller: { try? $0.fail(FailureGroup(errors: [])) })
        let seen = [watch(value), watch(error)]
        value.cancel()
        error.cancel()
        #expect(seen.map { $0() } == ["7", "\(FailureGroup(errors: []))"])
    }

    @Test func withoutACancellerOneLaterResultIsTakenInSilence() throws {
        let deferred = Deferred<Int>()
        let seen = watch(deferred)
        deferred.cancel()
        #expect(seen() == "cancelled")
        try deferred.succeed(1)
        #expect(seen() == "cancelled")
        #expect(throws: DeferredError.alreadyFired) { try deferred.succeed(2) }
    }

    @Test func cancellingAfterwardsDoesNothing() throws {
        var calls = 0
        let deferred = Deferred<Int>(canceller: { _ in calls += 1 })
        let seen = watch(deferred)
        try deferred.succeed(1)
        deferred.cancel()
        #expect(calls == 0)
        #expect(seen() == "1")
    }

    @Test func aLaterLinkReachesTheSource() {
        var calls = 0
        let source = Deferred<Int>(canceller: { _ in calls += 1 })
        let link = source.addCallback { $0 + 1 }.addErrback { throw $0 }.addCallback { "\($0)" }
        let seen = watch(link)
        let other = watch(source)
        link.cancel()
        #expect(calls == 1)
        #expect(seen() == "cancelled")
        #expect(other() == "cancelled")
    }

    @Test func theInnerOneIsCancelledWhileItIsWaitedFor() throws {
        var calls: [String] = []
        let inner = Deferred<Int>(canceller: { _ in calls.append("inner") })
        let outer = Deferred<Int>(canceller: { _ in calls.append("outer") })
        // A link of the inner one is what is waited for.
        let link = outer.addCallback { _ in inner.addCallback { $0 } }.addCallback { $0 }
        let seen = watch(link)
        try outer.succeed(1)
        link.cancel()
        #expect(calls == ["inner"])
        #expect(seen() == "cancelled")
        #expect(inner.hasFired)
    }

    @Test func anErrbackMayMakeAValueOfIt() {
        let link = Deferred<Int>().addErrback { _ in 5 }
        let seen = watch(link)
        link.cancel()
        #expect(seen() == "5")
    }

    @Test func aLinkWhoseSourceWasDroppedHearsOfItsCancellation() {
        var source: Deferred<Int>? = Deferred()
        let link = source?.addErrback { error in
            #expect(error as? DeferredError == .cancelled)
            return 9
        }
        source = nil
        let seen = link.map { watch($0) }
        link?.cancel()
        #expect(seen?() == "9")
    }

    @Test func aLinkWhoseInnerOneWasDroppedHearsOfItsCancellation() {
        var inner: Deferred<Int>? = Deferred()
        let link = Deferred<Int>.succeed(1).addCallback { [weak inner] _ in try #require(inner) }
        inner = nil
        let seen = watch(link)
        link.cancel()
        #expect(seen() == "cancelled")
    }

    @Test func cancellingFromInsideACallOfTheChainDoesNothing() throws {
        let source = Deferred<Int>()
        var link: Deferred<Int>?
        link = source.addCallback {
            link?.cancel()
            return $0
        }
        let seen = try watch(#require(link))
        link?.addCallback { _ in }
        try source.succeed(3)
        link = nil
        #expect(seen() == "3")
    }

    @Test func aRingIsOpenedByCancellingIt() throws {
        let source = Deferred<Int>()
        var later: Deferred<Int>?
        let first = source.addCallback { _ in try #require(later) }
        later = first.addCallback { $0 }.addCallback { $0 }
        let tail = first.addCallback { $0 }.addCallback { $0 }
        let seen = watch(tail)
        try source.succeed(1)
        #expect(seen() == "nothing")
        tail.cancel()
        #expect(seen() == "cancelled")
        #expect(later?.hasFired == true)
        later = nil
    }

    @Test func theCancellerIsLetGoWhenItCanNoMoreBeCalled() throws {
        final class Token {}
        var token: Token? = Token()
        weak let watched = token
        let deferred = Deferred<Int>(canceller: { [token] _ in _ = token })
        token = nil
        #expect(watched != nil)
        try deferred.succeed(1)
        #expect(watched == nil)
    }

    @Test func aTimeoutCancelsAndSaysSo() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        var cancellations = 0
        let slow = Deferred<Int>(canceller: { _ in cancellations += 1 })
        let seen = watch(slow.addTimeout(.seconds(5), on: reactor))
        try reactor.advance(by: .seconds(4))
        #expect(seen() == "nothing")
        try reactor.advance(by: .seconds(1))
        #expect(cancellations == 1)
        #expect(seen() == "\(DeferredError.timedOut(.seconds(5)))")
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aResultInTimeStopsTheClock() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        let quick = Deferred<Int>()
        let seen = watch(quick.addTimeout(.seconds(5), on: reactor))
        let early = watch(Deferred.succeed(2).addTimeout(.seconds(5), on: reactor))
        try quick.succeed(1)
        #expect(seen() == "1")
        #expect(early() == "2")
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aCancellationBeforeTheTimeIsNoTimeout() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        let link = Deferred<Int>().addTimeout(.seconds(5), on: reactor)
        let seen = watch(link)
        link.cancel()
        #expect(seen() == "cancelled")
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aCancellersOwnResultPassesATimeout() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        let slow = Deferred<Int>(canceller: { try? $0.succeed(-1) })
        let seen = watch(slow.addTimeout(.seconds(5), on: reactor))
        try reactor.advance(by: .seconds(5))
        #expect(seen() == "-1")
    }

    @Test func aTimeoutComesEvenWhereTheSourceWasDropped() throws {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        var source: Deferred<Int>? = Deferred()
        let seen = source.map { watch($0.addTimeout(.seconds(5), on: reactor)) }
        source = nil
        try reactor.advance(by: .seconds(5))
        #expect(seen?() == "\(DeferredError.timedOut(.seconds(5)))")
    }
}
