import Dispatch
import TestSupport
import Testing

@testable import Twill

// The programs of Deferreds.md and of the documentation beside the sources, word for word but for what they print, which is noted here, and
// what they say they do.

private struct NoSuchName: Error {}

private func lookUp(_ name: String, on reactor: any Reactor) -> Deferred<Int> {
    let answer = Deferred<Int>()
    reactor.callLater(.milliseconds(5)) {
        if name == "nobody" { try answer.fail(NoSuchName()) } else { try answer.succeed(name.count) }
    }
    return answer
}

private func bell(after delay: Duration, on reactor: any Reactor) -> Deferred<String> {
    var timer: DelayedCall?
    let bell = Deferred<String>(canceller: { _ in try? timer?.cancel() })
    timer = reactor.callLater(delay) { try bell.succeed("ding") }
    return bell
}

@Suite("Examples of Deferreds", .nothingLivesOn)
struct DeferredExamplesTests {
    private final class Printed {
        var lines: [String] = []
        func print(_ what: Any...) { lines.append(what.map { "\($0)" }.joined(separator: " ")) }
    }

    private func printing(_ body: (VirtualReactor, _ print: @escaping (Any) -> Void) throws -> Void) throws -> [String] {
        let reactor = VirtualReactor()
        defer { reactor.end() }
        let printed = Printed()
        try body(reactor) { printed.print($0) }
        try reactor.advance(by: .seconds(60))
        return printed.lines
    }

    @Test func aChain() throws {
        for (name, said) in [("somebody", "number 8"), ("nobody", "no number: NoSuchName()")] {
            let lines = try printing { reactor, print in
                lookUp(name, on: reactor)
                    .addCallback { number in "number \(number)" }
                    .addErrback { error in "no number: \(error)" }
                    .addCallback { text in print(text) }
            }
            #expect(lines == [said])
        }
    }

    @Test func aBellThatIsCancelled() throws {
        let lines = try printing { reactor, print in
            let ringing = bell(after: .seconds(10), on: reactor).addCallback { print($0) }
            ringing.cancel()
            #expect(reactor.delayedCalls.isEmpty)
            ringing.addErrback { print($0) }
        }
        #expect(lines == ["the Deferred was cancelled"])
        #expect(try printing { reactor, print in bell(after: .seconds(10), on: reactor).addCallback { print($0) } } == ["ding"])
    }

    @Test func aTimeout() throws {
        let lines = try printing { reactor, print in
            bell(after: .seconds(10), on: reactor).addTimeout(.seconds(5), on: reactor).addErrback { error in
                print(error)
                return ""
            }
        }
        #expect(lines == ["no result came within 5.0 seconds, so the Deferred was cancelled"])
    }

    @Test func neverThreeQuestionsAtOnce() throws {
        let lines = try printing { reactor, print in
            let two = DeferredSemaphore(tokens: 2)
            let all = ["a", "bb", "ccc"].map { name in two.run { lookUp(name, on: reactor) } }
            #expect(two.waitingCount == 1)
            gatherResults(all).addCallback { print($0) }
        }
        #expect(lines == ["[1, 2, 3]"])
    }

    @Test func listsAndRaces() throws {
        let lines = try printing { reactor, print in
            DeferredList([lookUp("a", on: reactor), lookUp("nobody", on: reactor)]).addCallback { results in
                for case .success(let address) in results { print(address) }
            }
            race([bell(after: .seconds(2), on: reactor), bell(after: .seconds(1), on: reactor)]).addCallback { winner in
                print("\(winner.index) \(winner.value)")
            }
        }
        #expect(lines == ["1", "1 ding"])
    }

    @Test func aQueueAndALock() throws {
        let lines = try printing { reactor, print in
            let jobs = DeferredQueue<String>(size: 100)
            try jobs.get().addCallback { print("working on \($0)") }
            try jobs.put("the first")
            try jobs.put("the second")
            #expect(jobs.count == 1)
            let lock = DeferredLock()
            lock.run { lookUp("first", on: reactor) }.addCallback { print("first \($0)") }
            lock.run { print("second") }
        }
        #expect(lines == ["working on the first", "second", "first 5"])
    }

    @Test func aHeartbeatAndLongWork() throws {
        let lines = try printing { reactor, print in
            let heartbeat = LoopingCall(on: reactor) { print("still here") }
            try heartbeat.start(.seconds(30))
            let cooperator = Cooperator(on: reactor)
            let indexing = cooperator.cooperate(["a", "b"].lazy.map { print("index \($0)") })
            indexing.whenDone().addCallback { print("all of them indexed") }
            reactor.deferLater(.seconds(2)) { "configuration" }.addCallback { print($0) }
        }
        #expect(lines == ["still here", "index a", "index b", "all of them indexed", "configuration", "still here", "still here"])
    }

    @Test func aThreadAsks() throws {
        let count = Shared<Int?>(nil)
        try withReactor { reactor in
            let handle = reactor.handle
            DispatchQueue(label: "a thread").async {
                count.value = try? handle.blockingCallFromThread { reactor in reactor.delayedCalls.count }
                handle.stop()
            }
        }
        #expect(count.value != nil)
    }
}
