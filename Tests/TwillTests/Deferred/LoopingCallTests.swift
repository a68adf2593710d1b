import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("LoopingCall and deferLater", .nothingLivesOn)
struct LoopingCallTests {
    private struct Refusal: Error {}

    /// A virtual reactor and what happened on it, with the time in seconds.
    private final class Scene {
        let reactor = VirtualReactor()
        var events: [String] = []
        private lazy var start = reactor.now

        init() { _ = start }
        deinit { reactor.end() }

        var time: Double { start.duration(to: reactor.now) / .seconds(1) }

        func note(_ event: String = "run") { events.append("\(event) at \(time)") }
    }

    @Test("R12: the grid is kept and late moments are skipped") func grid() throws {
        let scene = Scene()
        let loop = LoopingCall(on: scene.reactor) { scene.note() }
        try loop.start(.seconds(10))
        for step in [10, 25, 4, 1] { try scene.reactor.jump(by: .seconds(step)) }
        #expect(scene.events == ["run at 0.0", "run at 10.0", "run at 35.0", "run at 40.0"])
        loop.stop()
    }

    @Test("R13: the count says how many moments have gone by") func counting() throws {
        let scene = Scene()
        let loop = LoopingCall.withCount(on: scene.reactor) { scene.note("\($0)") }
        try loop.start(.seconds(10))
        for step in [10, 25, 5] { try scene.reactor.jump(by: .seconds(step)) }
        #expect(scene.events == ["1 at 0.0", "1 at 10.0", "2 at 35.0", "1 at 40.0"])
        loop.stop()
        scene.events = []
        try loop.start(.seconds(10), now: false)
        try scene.reactor.jump(by: .seconds(31))
        #expect(scene.events == ["3 at 71.0"])
        loop.stop()
    }

    @Test("R14: a call that takes longer is waited for, and never overlaps") func waiting() throws {
        let scene = Scene()
        var pending = Deferred<Int>()
        let loop = LoopingCall(on: scene.reactor) { () -> Deferred<Int> in
            scene.note()
            return pending
        }
        try loop.start(.seconds(1))
        try scene.reactor.advance(by: .milliseconds(3500))
        #expect(scene.events == ["run at 0.0"])
        let first = pending
        pending = Deferred()
        try first.succeed(1)
        try scene.reactor.advance(by: .milliseconds(400))
        #expect(scene.events.count == 1)
        try scene.reactor.advance(by: .milliseconds(100))
        #expect(scene.events == ["run at 0.0", "run at 4.0"])
        loop.stop()
        try pending.succeed(2)
    }

    @Test func withCountMayWaitToo() throws {
        let scene = Scene()
        let first = Deferred<Void>()
        let loop = LoopingCall.withCount(on: scene.reactor) { count -> Deferred<Void> in
            scene.note("\(count)")
            return first
        }
        try loop.start(.seconds(1))
        try scene.reactor.advance(by: .milliseconds(3500))
        try first.succeed(())
        try scene.reactor.advance(by: .milliseconds(500))
        #expect(scene.events == ["1 at 0.0", "4 at 4.0"])
        loop.stop()
    }

    @Test func stoppingFiresItsDeferredAndMakesNoMoreCalls() throws {
        let scene = Scene()
        let loop = LoopingCall(on: scene.reactor) { scene.note() }
        try loop.start(.seconds(1), now: false).addCallback { scene.note("ended") }
        #expect(loop.isRunning)
        #expect(loop.interval == .seconds(1))
        try scene.reactor.advance(by: .seconds(1))
        loop.stop()
        loop.stop()
        #expect(!loop.isRunning)
        try scene.reactor.advance(by: .seconds(5))
        #expect(scene.events == ["run at 1.0", "ended at 1.0"])
        #expect(scene.reactor.delayedCalls.isEmpty)
        // It may begin again.
        try loop.start(.seconds(1))
        loop.stop()
        #expect(scene.events.last == "run at 6.0")
    }

    @Test func stoppingDuringACallWaitsForItsEnd() throws {
        let scene = Scene()
        let pending = Deferred<Void>()
        var loop: LoopingCall?
        loop = LoopingCall(on: scene.reactor) { () -> Deferred<Void> in
            loop?.stop()
            return pending
        }
        try loop?.start(.seconds(1)).addCallback { scene.note("ended") }
        #expect(scene.events.isEmpty)
        #expect(throws: LoopingCall.Failure.alreadyRunning) { try loop?.start(.seconds(1)) }
        try pending.succeed(())
        #expect(scene.events == ["ended at 0.0"])
        loop = nil
    }

    @Test func itCannotBeginAgainFromInsideItsOwnCall() throws {
        let scene = Scene()
        var loop: LoopingCall?
        var ending: Deferred<Void>?
        loop = LoopingCall(on: scene.reactor) {
            ending?.cancel()
            #expect(throws: LoopingCall.Failure.alreadyRunning) { try loop?.start(.seconds(1)) }
            scene.note()
        }
        ending = try loop?.start(.seconds(1), now: false)
        ending?.addErrback { _ in }
        try scene.reactor.advance(by: .seconds(1))
        #expect(scene.events == ["run at 1.0"])
        #expect(scene.reactor.delayedCalls.isEmpty)
        loop = nil
    }

    @Test func anErrorEndsItAndIsItsResult() throws {
        let scene = Scene()
        let thrown = LoopingCall(on: scene.reactor) { () throws -> Void in throw Refusal() }
        let failed = LoopingCall(on: scene.reactor) { Deferred<Int>.fail(Refusal()) }
        for loop in [thrown, failed] {
            try loop.start(.seconds(1)).addErrback { error in
                #expect(error is Refusal)
                scene.note("failed")
            }
            #expect(!loop.isRunning)
        }
        #expect(scene.events.count == 2)
        #expect(scene.reactor.delayedCalls.isEmpty)
    }

    @Test func resettingBeginsTheGridAnew() throws {
        let scene = Scene()
        let loop = LoopingCall.withCount(on: scene.reactor) { scene.note("\($0)") }
        loop.reset()
        try loop.start(.seconds(10), now: false)
        try scene.reactor.advance(by: .seconds(9))
        loop.reset()
        try scene.reactor.advance(by: .seconds(20))
        #expect(scene.events == ["1 at 19.0", "1 at 29.0"])
        loop.stop()
    }

    @Test func anIntervalOfZeroMakesOneCallOnEachTurn() throws {
        let scene = Scene()
        let loop = LoopingCall.withCount(on: scene.reactor) { scene.note("\($0)") }
        try loop.start(.zero)
        try scene.reactor.jump(by: .zero)
        try scene.reactor.jump(by: .seconds(2))
        #expect(scene.events == ["1 at 0.0", "1 at 0.0", "1 at 2.0"])
        loop.stop()
    }

    @Test func cancellingItsDeferredEndsItAndWhatItWaitsFor() throws {
        let scene = Scene()
        let pending = Deferred<Void>()
        for loop in [LoopingCall(on: scene.reactor) { pending }, LoopingCall(on: scene.reactor) {}] {
            let ending = try loop.start(.seconds(1))
            ending.addErrback { #expect($0 as? DeferredError == .cancelled) }
            ending.cancel()
            #expect(!loop.isRunning)
        }
        #expect(pending.hasFired)
        #expect(scene.reactor.delayedCalls.isEmpty)
    }

    @Test func startingSaysWhatIsWrong() throws {
        var scene: Scene? = Scene()
        let loop = try LoopingCall(on: #require(scene).reactor) {}
        try loop.start(.seconds(1))
        #expect(throws: LoopingCall.Failure.alreadyRunning) { try loop.start(.seconds(1)) }
        loop.stop()
        #expect(throws: LoopingCall.Failure.negativeInterval(.seconds(-1))) { try loop.start(.seconds(-1)) }
        scene = nil
        #expect(throws: LoopingCall.Failure.noReactor) { try loop.start(.seconds(1)) }
    }

    @Test func itRunsOnARealReactor() throws {
        try withReactor { reactor in
            var calls = 0
            var loop: LoopingCall?
            loop = LoopingCall(on: reactor) {
                calls += 1
                if calls == 3 { loop?.stop() }
            }
            try loop?.start(.milliseconds(1)).addCallback { [unowned reactor] in
                #expect(calls == 3)
                loop = nil
                reactor.stop()
            }
        }
    }

    @Test func aLaterCallsResultIsADeferred() throws {
        let scene = Scene()
        let inner = Deferred<Int>()
        scene.reactor.deferLater(.seconds(2)) { "value" }.addCallback { scene.note($0) }
        scene.reactor.deferLater(.seconds(1)) { inner }.addCallback { scene.note("\($0)") }
        scene.reactor.deferLater(.seconds(3)).addCallback { scene.note("nothing") }
        scene.reactor.deferLater(.seconds(1)) { () throws -> Int in throw Refusal() }.addErrback { _ in
            scene.note("failed")
            return 0
        }
        try scene.reactor.advance(by: .seconds(4))
        try inner.succeed(5)
        #expect(scene.events == ["failed at 1.0", "value at 2.0", "nothing at 3.0", "5 at 4.0"])
    }

    @Test func cancellingALaterCallTakesItBack() throws {
        let scene = Scene()
        let later = scene.reactor.deferLater(.seconds(2)) { scene.note() }
        later.cancel()
        #expect(scene.reactor.delayedCalls.isEmpty)
        try scene.reactor.advance(by: .seconds(3))
        #expect(scene.events.isEmpty)
        let inner = Deferred<Int>()
        let waiting = scene.reactor.deferLater(.seconds(1)) { inner }
        try scene.reactor.advance(by: .seconds(1))
        waiting.cancel()
        #expect(inner.hasFired)
    }
}
