import Logging
import TestSupport
import Testing
import Twill
import TwillServices
import TwillTesting

@Suite("Services and their tree", .nothingLivesOn)
struct ServiceTreeTests {
    /// A tree of three services on a reactor in virtual time.
    private struct Scene {
        let diary = Diary()
        let log = Diary()
        let reactor: SimulatedReactor
        let root: MultiService
        let first: NotingService
        let second: NotingService
        let third: NotingService

        init() throws {
            reactor = SimulatedReactor(logger: Logger(log))
            root = MultiService(on: reactor)
            first = try root.add(NotingService("first", diary))
            second = try root.add(NotingService("second", diary))
            third = try root.add(NotingService("third", diary))
        }
    }

    @Test func allBindBeforeTheFirstStarts() throws {
        let scene = try Scene()
        try scene.root.privilegedStart()
        #expect(scene.root.state == .bound)
        #expect(scene.diary.take() == ["first binds", "second binds", "third binds"])
        try scene.root.start()
        #expect(scene.diary.take() == ["first starts", "second starts", "third starts"])
        #expect(scene.root.isRunning && scene.second.isRunning)
        try scene.root.start()
        #expect(scene.diary.take() == [])
    }

    @Test func startingBindsWhatIsNotBoundYet() throws {
        let scene = try Scene()
        try scene.root.start()
        #expect(scene.diary.take() == ["first binds", "second binds", "third binds", "first starts", "second starts", "third starts"])
    }

    @Test func theyStopInReverseEachWhenTheOneBeforeHasStopped() throws {
        let scene = try Scene()
        try scene.root.start()
        let (third, second) = (Deferred<Void>(), Deferred<Void>())
        (scene.third.stopping, scene.second.stopping) = (third, second)
        _ = scene.diary.take()
        scene.root.stop().noting("stopping", in: scene.diary)
        #expect(scene.diary.take() == ["third stops"])
        #expect(scene.root.state == .stopping && !scene.root.isRunning)
        try third.succeed(())
        #expect(scene.diary.take() == ["second stops"])
        try second.succeed(())
        #expect(scene.diary.take() == ["first stops", "stopping done"])
        #expect(scene.root.state == .stopped)
    }

    @Test func oneThatFailsToStopKeepsNoOtherFromStoppingAndAllFailuresAreTold() throws {
        let scene = try Scene()
        try scene.root.start()
        scene.third.stopError = Refusal()
        scene.first.stopping = .fail(Refusal())
        _ = scene.diary.take()
        var failures: StopFailures?
        scene.root.stop().addErrback { failures = $0 as? StopFailures }
        #expect(scene.diary.take() == ["third stops", "second stops", "first stops"])
        #expect(failures?.failures.map(\.service) == ["third", "first"])
        #expect(failures?.description == "could not stop in good order: third: refused; first: refused")
        #expect([scene.root, scene.first, scene.third].allSatisfy { $0.state == .stopped })
    }

    @Test func stoppingTwiceWaitsForTheSameEnd() throws {
        let scene = try Scene()
        try scene.root.start()
        let third = Deferred<Void>()
        scene.third.stopping = third
        _ = scene.diary.take()
        scene.root.stop().noting("one", in: scene.diary)
        scene.root.stop().noting("two", in: scene.diary)
        #expect(scene.diary.take() == ["third stops"])
        try third.succeed(())
        #expect(scene.diary.take() == ["second stops", "first stops", "one done", "two done"])
        scene.root.stop().noting("three", in: scene.diary)
        #expect(scene.diary.take() == ["three done"])
    }

    @Test func aStartThatThrowsStopsThoseThatHadStarted() throws {
        let scene = try Scene()
        scene.second.startError = Refusal()
        #expect(throws: Refusal()) { try scene.root.start() }
        #expect(
            scene.diary.take() == [
                "first binds", "second binds", "third binds", "first starts", "second starts", "second stops", "first stops",
                // It was bound, and gives that back.
                "third stops",
            ])
        #expect([scene.root, scene.first, scene.second, scene.third].allSatisfy { $0.state == .stopped })
    }

    @Test func aBindThatThrowsGivesBackWhatTheOthersHaveBound() throws {
        let scene = try Scene()
        scene.third.bindError = Refusal()
        #expect(throws: Refusal()) { try scene.root.privilegedStart() }
        #expect(scene.diary.take() == ["first binds", "second binds", "third binds", "second stops", "first stops"])
        #expect([scene.root, scene.first, scene.third].allSatisfy { $0.state == .stopped })
    }

    @Test func theyCanBeStartedAgain() throws {
        let scene = try Scene()
        try scene.root.start()
        scene.root.stop()
        _ = scene.diary.take()
        try scene.root.start()
        #expect(scene.diary.take().count == 6)
        #expect(scene.root.isRunning)
    }

    @Test func oneThatIsStartedWhileItStopsStartsWhenItHasStopped() throws {
        let scene = try Scene()
        try scene.root.start()
        let end = Deferred<Void>()
        scene.second.stopping = end
        _ = scene.diary.take()
        scene.second.stop()
        try scene.second.start()
        #expect(scene.second.state == .stopping)
        #expect(scene.diary.take() == ["second stops"])
        try end.succeed(())
        #expect(scene.diary.take() == ["second binds", "second starts"])
        #expect(scene.second.isRunning)
        // Unless it is stopped once more.
        let later = Deferred<Void>()
        scene.second.stopping = later
        scene.second.stop()
        try scene.second.start()
        scene.second.stop()
        try later.succeed(())
        #expect(scene.second.state == .stopped)
    }

    @Test func whatIsAddedToARunningServiceIsStarted() throws {
        let scene = try Scene()
        try scene.root.privilegedStart()
        let fourth = try scene.root.add(NotingService("fourth", scene.diary))
        #expect(scene.diary.take().last == "fourth binds")
        try scene.root.start()
        #expect(fourth.isRunning)
        _ = scene.diary.take()
        try scene.root.add(NotingService("fifth", scene.diary))
        #expect(scene.diary.take() == ["fifth binds", "fifth starts"])
        let sixth = NotingService("sixth", scene.diary)
        sixth.startError = Refusal()
        #expect(throws: Refusal()) { try scene.root.add(sixth) }
        #expect(scene.root["sixth"] == nil && sixth.parent == nil && sixth.state == .stopped)
    }

    @Test func oneThatRemovesItselfWhileItStartsKeepsNoOtherFromStarting() throws {
        let root = MultiService(on: SimulatedReactor())
        let diary = Diary()
        let once = ActionService(name: "once", start: { [unowned root] in if let own = root["once"] { root.remove(own) } })
        try root.add(once)
        let second = try root.add(NotingService("second", diary))
        try root.start()
        #expect(diary.take() == ["second binds", "second starts"])
        #expect(once.state == .stopped && once.parent == nil && second.isRunning)
        root.stop()
    }

    @Test func whatIsRemovedIsStopped() throws {
        let scene = try Scene()
        try scene.root.start()
        let end = Deferred<Void>()
        scene.second.stopping = end
        _ = scene.diary.take()
        scene.root.remove(scene.second).noting("removing", in: scene.diary)
        #expect(scene.diary.take() == ["second stops"])
        try end.succeed(())
        #expect(scene.diary.take() == ["removing done"])
        #expect(scene.second.parent == nil && scene.root["second"] == nil)
        #expect(scene.root.services.count == 2)
        try scene.root.add(scene.second)
        #expect(scene.second.isRunning)
    }

    @Test func namesAreUniqueAndATreeIsATree() throws {
        let scene = try Scene()
        #expect(scene.root["second"] === scene.second)
        #expect(throws: ServiceError.nameTaken("second")) { try scene.root.add(NotingService("second", scene.diary)) }
        #expect(throws: ServiceError.hasParent("second")) { try scene.root.add(scene.second) }
        let inner = try scene.root.add(MultiService(name: "inner"))
        let deeper = try inner.add(MultiService())
        #expect(throws: ServiceError.aboveItself("inner")) {
            inner.parent?.remove(inner)
            try deeper.add(inner)
        }
        let outer = MultiService(name: "outer", on: scene.reactor)
        #expect(throws: ServiceError.aboveItself("outer")) { try outer.add(outer) }
    }

    @Test func thoseThatRunReloadInOrderAndOneThatCannotGoesOnAsItWas() throws {
        let scene = try Scene()
        scene.root.reload()
        try scene.root.privilegedStart()
        scene.root.reload()
        try scene.root.start()
        scene.second.stop()
        scene.first.reloadError = Refusal()
        _ = scene.diary.take()
        scene.root.reload()
        #expect(scene.diary.take() == ["first reloads", "third reloads"])
        #expect(scene.log.entries == ["error: first could not be reloaded, and goes on as it was: refused"])
        #expect(scene.first.isRunning && scene.root.isRunning)
        scene.root.stop()
        _ = scene.diary.take()
        scene.root.reload()
        #expect(scene.diary.take() == [])
    }

    @Test func drainingIsForAllAtOnceAndOneThatFailsIsLogged() throws {
        let scene = try Scene()
        try scene.root.start()
        let (first, third) = (Deferred<Void>(), Deferred<Void>())
        (scene.first.draining, scene.third.draining) = (first, third)
        _ = scene.diary.take()
        scene.root.drain(deadline: scene.reactor.now).noting("draining", in: scene.diary)
        #expect(scene.diary.take() == ["first drains", "second drains", "third drains"])
        try first.succeed(())
        #expect(scene.diary.take() == [])
        try third.fail(Refusal())
        #expect(scene.diary.take() == ["draining done"])
        #expect(scene.log.entries == ["error: third could not be drained: refused"])
        scene.root.stop()
        _ = scene.diary.take()
        scene.root.drain(deadline: scene.reactor.now).noting("nothing", in: scene.diary)
        #expect(scene.diary.take() == ["nothing done"])
    }

    @Test func aTimerTicksWhileItRuns() throws {
        let reactor = SimulatedReactor(logger: Logger(Diary()))
        let root = MultiService(on: reactor)
        var ticks = 0
        let timer = try root.add(TimerService(every: .seconds(10)) { ticks += 1 })
        try root.start()
        try reactor.run(for: .seconds(35))
        #expect(ticks == 4)
        root.stop()
        #expect(!timer.isTicking)
        try reactor.run(for: .seconds(35))
        #expect(ticks == 4)
        try root.start()
        try reactor.run(for: .seconds(5))
        #expect(ticks == 5)
        root.stop()
        reactor.stop()
        try reactor.run(for: .zero)
    }

    @Test func stoppingATimerWaitsForTheCallUnderWayAndAFailureIsItsLast() throws {
        let log = Diary()
        let reactor = SimulatedReactor(logger: Logger(log))
        let root = MultiService(on: reactor)
        var call: Deferred<Void>?
        let timer = try root.add(
            TimerService(name: "report", every: .seconds(1)) { () -> Deferred<Void> in
                let made = Deferred<Void>()
                call = made
                return made
            })
        try root.start()
        let diary = Diary()
        root.stop().noting("stopping", in: diary)
        #expect(diary.take() == [])
        try call?.succeed(())
        #expect(diary.take() == ["stopping done"])
        try root.start()
        try call?.fail(Refusal())
        #expect(log.take() == ["error: report makes no more calls, because one failed: refused"])
        #expect(timer.isRunning && !timer.isTicking)
        root.stop().noting("stopping", in: diary)
        #expect(diary.take() == ["stopping done"])
    }

    @Test func aClosureIsCalledToReload() throws {
        let root = MultiService(on: SimulatedReactor())
        let diary = Diary()
        try root.add(ActionService(start: { diary.note("start") }, reload: { diary.note("reload") }, stop: { diary.note("stop") }))
        try root.start()
        root.reload()
        root.stop()
        #expect(diary.entries == ["start", "reload", "stop"])
    }

    @Test func closuresAndTasksAreServices() throws {
        let (diary, log) = (Diary(), Diary())
        let reactor = SimulatedReactor(logger: Logger(log))
        let root = MultiService(on: reactor)
        try root.add(
            ActionService(name: "table") {
                diary.note("opens")
            } stop: {
                diary.note("closes")
            })
        try root.add(
            TaskService(name: "feed") { reactor in
                diary.note("feeds")
                do {
                    try await reactor.sleep(for: .seconds(3600))
                } catch {
                    diary.note("cancelled")
                    throw error
                }
            })
        try root.add(TaskService(name: "broken") { _ in throw Refusal() })
        try root.start()
        try reactor.run(for: .seconds(1))
        #expect(diary.take() == ["opens", "feeds"])
        #expect(log.take() == ["error: broken has ended: refused"])
        root.stop().noting("stopping", in: diary)
        #expect(diary.take() == [])
        try reactor.run(for: .seconds(1))
        #expect(diary.take() == ["cancelled", "closes", "stopping done"])
        #expect(log.take() == [])
        reactor.stop()
        try reactor.run(for: .zero)
    }
}
