import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// A reactor that runs on a thread of its own for as long as a task needs it, whichever of the two ends first.
@Suite("Running a reactor from a task", .nothingLivesOn, .timeLimit(.minutes(2)))
struct RunningTests {
    /// Remembers a reactor without keeping it.
    private final class Trace {
        weak var reactor: LibeventReactor?
    }

    private struct Refusal: Error, Equatable {
        var reason = ""
    }

    @TaskLocal private static var place = "nowhere"

    @Test func aValueIsReturnedWhenTheReactorHasStopped() async throws {
        let trace = ReactorBound(Trace())
        let events = Shared<[String]>([])
        let port = Shared(0)
        let value = try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            trace.value.reactor = reactor
            for phase in [SystemEventPhase.before, .during, .after] {
                reactor.addSystemEventTrigger(phase, .shutdown) { events.value.append("\(phase)") }
            }
            port.value = try reactor.listen("tcp:127.0.0.1:0") { _ in }.port.number
            try await reactor.sleep(for: .milliseconds(1))
            events.value.append("body")
            return 42
        }
        #expect(value == 42)
        #expect(events.value == ["body", "before", "during", "after"])
        #expect(trace.value.reactor == nil, "it went before its run was over")
        #expect(throws: CallFailure.self) { try RawSocket(connectedTo: port.value) }
    }

    @Test func anErrorIsThrownWhenTheReactorHasStopped() async {
        let trace = ReactorBound(Trace())
        let hasStopped = Shared(false)
        await #expect(throws: Refusal(reason: "no")) {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                trace.value.reactor = reactor
                reactor.addSystemEventTrigger(.after, .shutdown) { hasStopped.value = true }
                throw Refusal(reason: "no")
            }
        }
        #expect(hasStopped.value)
        #expect(trace.value.reactor == nil)
    }

    @Test func everythingHappensOnAThreadOfItsOwn() async throws {
        let threads = Shared<[UInt]>([])
        let reactors = 3
        try await withThrowingTaskGroup { group in
            for _ in 0..<reactors {
                group.addTask { @Sendable in
                    let meeting = threads
                    try await LibeventReactor.run(logger: RecordedLog().logger, installSignalHandlers: false) { reactor in
                        let mine = currentThread()
                        let called = Deferred<UInt>()
                        reactor.callLater(.zero) { try called.succeed(currentThread()) }
                        #expect(try await called.value(on: reactor) == mine)
                        #expect(reactor.handle.isIsolatingCurrentContext() == true)
                        meeting.change { $0.append(mine) }
                        // Each waits for the others: no thread is of two of them.
                        while meeting.value.count < reactors { try await reactor.sleep(for: .milliseconds(1)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(Set(threads.value).count == reactors)
    }

    @Test func theReactorServesAndConnects() async throws {
        let log = RecordedLog()
        let answers = try await LibeventReactor.run(logger: log.logger) { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                for try await line in connection.lines { try await connection.writeLine(line.uppercased()) }
            }
            let connection = try await reactor.connect("tcp:127.0.0.1:\(server.port.number)")
            var answers: [String] = []
            for word in ["one", "two"] {
                try await connection.writeLine(word)
                answers.append(try await connection.lines.next() ?? "closed")
            }
            return answers
        }
        #expect(answers == ["ONE", "TWO"])
        #expect(log.entries.isEmpty)
    }

    @Test func taskLocalValuesReachTheBodyTheCallbacksAndTheHandlers() async throws {
        let places = Shared<[String]>([])
        try await Self.$place.withValue("here") {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                places.value.append("body \(Self.place)")
                reactor.callLater(.zero) { places.value.append("callback \(Self.place)") }
                let server = try reactor.listen("tcp:127.0.0.1:0") { _ in places.value.append("handler \(Self.place)") }
                let connection = try await reactor.connect("tcp:127.0.0.1:\(server.port.number)")
                #expect(try await connection.readChunk() == nil)
            }
        }
        #expect(Set(places.value) == ["body here", "callback here", "handler here"])
    }

    // The reactor stops first.

    @Test func aStopEndsABodyThatWaitsForIt() async throws {
        let value = try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            reactor.callLater(.milliseconds(5)) { [unowned reactor] in reactor.stop() }
            try await reactor.waitUntilStopped()
            // It does not matter any more how often.
            try await reactor.waitUntilStopped()
            #expect(Task.isCancelled)
            return "ended"
        }
        #expect(value == "ended")
    }

    @Test func aStopFromAnotherThreadEndsIt() async throws {
        try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            let handle = reactor.handle
            Thread.detachNewThread { handle.stop() }
            try await reactor.waitUntilStopped()
        }
    }

    @Test func aStoppedReactorWaitsForItsHandlers() async throws {
        let events = Shared<[String]>([])
        let client = Shared<RawSocket?>(nil)
        try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            let port = try reactor.listen("tcp:127.0.0.1:0") { connection in
                do {
                    for try await _ in connection.lines { connection.reactor.stop() }
                } catch {
                    events.value.append("\(type(of: error))")
                }
            }.port.number
            reactor.inBackground {
                let socket = try RawSocket(connectedTo: port)
                client.value = socket
                try socket.send("stop\r\n")
            }
            try await reactor.waitUntilStopped()
        }
        #expect(events.value == ["CancellationError"])
        client.value?.close()
    }

    @Test func aStopCancelsABodyThatWaitsForSomethingElse() async throws {
        let tidied = Shared(false)
        // A body with nothing to return has not failed.
        try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            reactor.callLater(.milliseconds(5)) { [unowned reactor] in reactor.stop() }
            defer { tidied.value = true }
            try await reactor.sleep(for: .seconds(1000))
        }
        #expect(tidied.value)
        // One that was to return something has.
        await #expect(throws: CancellationError.self) {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                reactor.stop()
                try await reactor.sleep(for: .seconds(1000))
                return 1
            }
        }
        await #expect(throws: Refusal.self) {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                reactor.stop()
                do { try await reactor.sleep(for: .seconds(1000)) } catch { throw Refusal() }
            }
        }
    }

    @Test func aCancellationThatIsNotOfTheStopIsThrown() async {
        await #expect(throws: CancellationError.self) {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                throw CancellationError()
            }
        }
    }

    @Test func nothingIsClosedBeforeTheBodyHasEnded() async throws {
        let (near, far) = try socketPair()
        try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            let server = Recorder()
            try reactor.adoptStreamConnection(near.giveAway(), factory: OneConnectionFactory(server))
            reactor.stop()
            try await reactor.waitUntilStopped()
            // This task is cancelled; another one takes its time.
            try await reactor.task { reactor in try await reactor.sleep(for: .milliseconds(20)) }.value
            #expect(server.lossCount == 0)
            server.transport.write("goodbye")
        }
        #expect(try String(decoding: far.receiveToEnd(), as: UTF8.self) == "goodbye")
        far.close()
    }

    @Test func aBodyThatDoesNotEndIsWaitedForWhenEverythingIsClosed() async throws {
        let log = RecordedLog()
        let events = Shared<[String]>([])
        let trace = ReactorBound(Trace())
        let value = try await LibeventReactor.run(logger: log.logger, shutdownTimeout: .milliseconds(20)) { reactor in
            trace.value.reactor = reactor
            let (near, far) = try socketPair()
            defer { far.close() }
            let lost = Recorder()
            lost.whenLost = { _, reason in events.value.append("lost: \(reason == .reactorStopped)") }
            try reactor.adoptStreamConnection(near.giveAway(), factory: OneConnectionFactory(lost))
            reactor.addSystemEventTrigger(.after, .shutdown) { events.value.append("closed") }
            reactor.stop()
            // It hears of no cancellation.
            let bound = ReactorBound(reactor)
            await Task(executorPreference: reactor.handle) {
                while events.value.count < 2 { try? await bound.value.sleep(for: .milliseconds(1)) }
                try? await bound.value.sleep(for: .milliseconds(5))
            }.result.ignore()
            events.value.append("body")
            return "late"
        }
        #expect(value == "late")
        #expect(events.value == ["lost: true", "closed", "body"])
        #expect(log.count(containing: "has not ended within 0.02 seconds") == 1)
        #expect(trace.value.reactor == nil)
    }

    @Test func timersGoOnForABodyThatDoesNotEnd() async throws {
        let ended = try await LibeventReactor.run(logger: RecordedLog().logger, shutdownTimeout: .zero) { reactor in
            let due = reactor.now.advanced(by: .milliseconds(50))
            let late = due.advanced(by: .milliseconds(10))
            let handle = reactor.handle
            reactor.addSystemEventTrigger(.after, .shutdown) {
                // The turn after this one is the last: the timer comes due while its calls are made.
                handle.callFromThread { _ in handle.callFromThread { reactor in while reactor.now <= late {} } }
            }
            reactor.stop()
            let bound = ReactorBound(reactor)
            await Task(executorPreference: reactor.handle) {
                try? await bound.value.sleep(for: bound.value.now.duration(to: due))
            }.result.ignore()
            return "ended"
        }
        #expect(ended == "ended")
    }

    @Test func aReactorThatIsLeftIsStopped() async throws {
        let events = Shared<[String]>([])
        try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
            reactor.addSystemEventTrigger(.during, .shutdown) { events.value.append("shutdown") }
            reactor.crash()
            do {
                try await reactor.sleep(for: .seconds(1000))
            } catch {
                events.value.append("cancelled")
            }
        }
        #expect(events.value == ["cancelled", "shutdown"])
    }

    // The caller is cancelled.

    @Test func whoIsCancelledAlreadyRunsNothing() async {
        let ran = Shared(false)
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await LibeventReactor.run(logger: RecordedLog().logger) { _ in ran.value = true }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!ran.value)
    }

    @Test func cancellingTheCallerCancelsTheBodyAndStopsTheReactor() async throws {
        let events = Shared<[String]>([])
        let client = Shared<RawSocket?>(nil)
        let begun = DispatchSemaphore(value: 0)
        let task = Task {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                let port = try reactor.listen("tcp:127.0.0.1:0") { connection in
                    begun.signal()
                    do { for try await _ in connection.chunks {} } catch { events.change { $0.append("handler cancelled") } }
                }.port.number
                client.value = try RawSocket(connectedTo: port)
                reactor.addSystemEventTrigger(.after, .shutdown) { events.change { $0.append("shutdown") } }
                try await reactor.sleep(for: .seconds(1000))
            }
        }
        Thread.detachNewThread {
            begun.wait()
            task.cancel()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(events.value == ["handler cancelled", "shutdown"])
        client.value?.close()
    }

    @Test func aBodyThatComputesHearsOfTheCancellation() async throws {
        let begun = DispatchSemaphore(value: 0)
        let task = Task {
            try await LibeventReactor.run(logger: RecordedLog().logger) { _ in
                begun.signal()
                // The loop has no turn meanwhile.
                while !Task.isCancelled {}
                return "given up"
            }
        }
        Thread.detachNewThread {
            begun.wait()
            task.cancel()
        }
        #expect(try await task.value == "given up")
    }

    @Test func cancellingTheCallerStopsTheReactorUnderABodyThatGoesOn() async throws {
        let events = Shared<[String]>([])
        let begun = DispatchSemaphore(value: 0)
        let task = Task {
            try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                let isStopping = Shared(false)
                reactor.addSystemEventTrigger(.before, .shutdown) { isStopping.value = true }
                begun.signal()
                do {
                    try await reactor.sleep(for: .seconds(1000))
                } catch {
                    // Tidying up goes on while the reactor is stopping.
                    await reactor.task { reactor in
                        while !isStopping.value { try await reactor.sleep(for: .milliseconds(1)) }
                        events.change { $0.append("stopping") }
                    }.result.ignore()
                    throw error
                }
            }
        }
        Thread.detachNewThread {
            begun.wait()
            task.cancel()
        }
        // That the reactor was stopped, too, is no reason to hide what the caller's cancellation has done.
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(events.value == ["stopping"])
    }

    @Test func cancellingAtAnyMomentEndsIt() async throws {
        for round in 0..<200 {
            let moment = DispatchSemaphore(value: 0)
            let task = Task {
                moment.signal()
                try await LibeventReactor.run(logger: RecordedLog().logger, installSignalHandlers: false) { reactor in
                    try reactor.listen("tcp:127.0.0.1:0") { _ in }
                    for _ in 0..<round % 7 { await Task.yield() }
                    try await reactor.waitUntilStopped()
                }
            }
            Thread.detachNewThread {
                moment.wait()
                for _ in 0..<round * 200 { _ = currentThread() }
                task.cancel()
            }
            // The body may see the stop before its cancellation.
            _ = await task.result
        }
    }

    @Test func cancellingTooLateChangesNothing() async throws {
        let task = Task { try await LibeventReactor.run(logger: RecordedLog().logger) { _ in 7 } }
        #expect(try await task.value == 7)
        task.cancel()
        #expect(try await task.value == 7)
    }

    // Several.

    @Test func severalRunAtOnceAndEndInTheirOwnWays() async throws {
        let outcomes = await withTaskGroup(of: String.self) { group in
            for number in 0..<24 {
                group.addTask { @Sendable in
                    do {
                        return try await LibeventReactor.run(logger: RecordedLog().logger) { reactor in
                            try await reactor.sleep(for: .milliseconds(number % 5))
                            switch number % 3 {
                            case 0: return "returned"
                            case 1: throw Refusal()
                            default:
                                reactor.stop()
                                try await reactor.waitUntilStopped()
                                return "stopped"
                            }
                        }
                    } catch {
                        return "\(type(of: error))"
                    }
                }
            }
            return await group.reduce(into: [:]) { sums, outcome in sums[outcome, default: 0] += 1 }
        }
        #expect(outcomes == ["returned": 8, "Refusal": 8, "stopped": 8])
    }

    @Test func aBodyMayRunAnotherReactor() async throws {
        let threads = try await LibeventReactor.run(logger: RecordedLog().logger) { _ in
            let outer = currentThread()
            let inner = try await LibeventReactor.run(logger: RecordedLog().logger) { _ in currentThread() }
            #expect(currentThread() == outer)
            return [outer, inner]
        }
        #expect(threads[0] != threads[1])
    }
}

extension Result {
    fileprivate func ignore() {}
}
