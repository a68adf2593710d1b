import Dispatch
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Deferreds and threads", .nothingLivesOn)
struct DeferredThreadTests {
    private struct Refusal: Error {}

    @Test func cancelledWorkThatNobodyHasBegunIsNotDone() throws {
        let done = Shared<[String]>([])
        let gate = DispatchSemaphore(value: 0)
        try withReactor { reactor in
            reactor.threadPool.threadsMax = 1
            _ = reactor.deferToThread { gate.wait() }
            let unwanted = reactor.deferToThread { done.change { $0.append("unwanted") } }
            unwanted.addErrback { error in
                #expect(error as? DeferredError == .cancelled)
                done.change { $0.append("cancelled") }
            }
            reactor.deferToThread { done.change { $0.append("last") } }.addCallback { [unowned reactor] in reactor.stop() }
            unwanted.cancel()
            gate.signal()
        }
        #expect(done.value == ["cancelled", "last"])
    }

    @Test func cancelledWorkThatHasBegunGoesOnForNothing() throws {
        let begun = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        let log = RecordedLog()
        let results = Shared<[String]>([])
        try withReactor(log: log) { reactor in
            let work = reactor.deferToThread { () -> Int in
                begun.signal()
                gate.wait()
                return 5
            }
            work.addBoth { result in results.change { $0.append((try? result.get()) == nil ? "cancelled" : "value") } }
            begun.wait()
            work.cancel()
            gate.signal()
            // Its result comes before this one's.
            reactor.threadPool.threadsMax = 1
            reactor.deferToThread {}.addCallback { [unowned reactor] in reactor.stop() }
        }
        #expect(results.value == ["cancelled"])
        #expect(log.entries.filter { $0.hasPrefix("error") }.isEmpty)
    }

    @Test func whatACallInAThreadThrowsIsLogged() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            reactor.threadPool.threadsMax = 1
            reactor.callInThread { throw Refusal() }
            reactor.deferToThread {}.addCallback { [unowned reactor] in reactor.stop() }
        }
        #expect(log.count(containing: "a call in a thread threw: Refusal()") == 1)
    }

    /// Runs a reactor while another thread asks it something; returns what that thread got.
    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (ReactorHandle) throws -> Answer
    ) throws -> Result<Answer, any Error>? {
        let answer = Shared<Result<Answer, any Error>?>(nil)
        try withReactor { reactor in
            let handle = reactor.handle
            reactor.deferToThread { answer.value = Result { try question(handle) } }.addCallback { [unowned reactor] in reactor.stop() }
        }
        return answer.value
    }

    @Test func aThreadGetsTheAnswerOfACall() throws {
        let answer = try ask { handle in try handle.blockingCallFromThread { $0.isRunning } }
        #expect(try answer?.get() == true)
        let refused = try ask { handle in try handle.blockingCallFromThread { _ -> Int in throw Refusal() } }
        #expect(throws: Refusal.self) { try refused?.get() }
    }

    @Test func aThreadGetsTheResultOfADeferred() throws {
        let answer = try ask { handle in
            try handle.blockingCallFromThread { reactor in reactor.deferLater(.milliseconds(1)) { 7 } }
        }
        #expect(try answer?.get() == 7)
        let failed = try ask { handle in try handle.blockingCallFromThread { _ in Deferred<Int>.fail(Refusal()) } }
        #expect(throws: Refusal.self) { try failed?.get() }
        let threw = try ask { handle in try handle.blockingCallFromThread { _ -> Deferred<Int> in throw Refusal() } }
        #expect(throws: Refusal.self) { try threw?.get() }
    }

    @Test func aDeferredThatIsDroppedIsAnAnswer() throws {
        let answer = try ask { handle in try handle.blockingCallFromThread { _ in Deferred<Int>() } }
        #expect(throws: BlockingCallError.neverFired) { try answer?.get() }
    }

    @Test func onTheReactorsOwnThreadItThrowsInsteadOfWaiting() throws {
        let errors = Shared<[BlockingCallError]>([])
        try withReactor { reactor in
            reactor.callLater(.zero) { [unowned reactor] in
                do {
                    _ = try reactor.handle.blockingCallFromThread { _ in 1 }
                } catch let error as BlockingCallError {
                    errors.change { $0.append(error) }
                }
                reactor.stop()
            }
        }
        #expect(errors.value == [.onReactorThread])
    }

    @Test func aReactorThatIsGoneThrows() throws {
        let handle = try LibeventReactor().handle
        #expect(throws: BlockingCallError.reactorIsGone) { try handle.blockingCallFromThread { _ in 1 } }
    }

    @Test func aReactorThatGoesWhileItIsAskedThrows() throws {
        let log = RecordedLog()
        var reactor: LibeventReactor? = try LibeventReactor(logger: log.logger)
        let handle = try #require(reactor).handle
        let answer = Shared<Result<Int, any Error>?>(nil)
        let asked = DispatchSemaphore(value: 0)
        let thread = DispatchQueue(label: "asks")
        thread.async {
            asked.signal()
            answer.value = Result { try handle.blockingCallFromThread { _ in 1 } }
        }
        asked.wait()
        // It was never run: whether the call is in its box by now or not, there is an answer.
        reactor = nil
        thread.sync {}
        #expect(throws: BlockingCallError.reactorIsGone) { try answer.value?.get() }
    }
}
