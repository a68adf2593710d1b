import Testing

@testable import Twill

extension Conformance {
    /// What the loop itself promises, where the way in which it waits could make a difference.
    ///
    /// The other rows of the catalogue that are about reactors do not touch the waiting, and are tested once:
    ///
    /// | row | test |
    /// |-----|------|
    /// | R01 | `DelayedCallTests.aCancelledCallCanNotBeCancelledOrMovedAgain` |
    /// | R02 | `DelayedCallTests.aCallThatWasMadeCanNotBeCancelledOrMoved` |
    /// | R03 | `TimerQueueTests.aNegativeDelayCountsAsNone` |
    /// | R04 | `TimerQueueTests.callsOfOneMomentAreMadeInTheOrderInWhichTheyWereSet`, `…aCallOfNoDelayThatACallAddsIsDueAtTheNextLookOnly`; and here |
    /// | R07 | `LibeventReactorTests.aReactorRunsUntilItIsStopped`, `…stoppingBeforeRunningMakesRunReturnAfterItsEvents`, `…runningAReactorThatRunsIsAnError`, `…aStoppedReactorRunsAgain` |
    /// | R09 | `SystemEventsTests.aCallBeforeTheEventMayRemoveOneDuringIt` |
    /// | R10 | `ReactorHandleTests.everyThreadsCallsAreMadeOnceEachAndInItsOrder`, `…aCallThatThrowsIsLoggedAndTheLoopGoesOn`; and here |
    /// | R11 | `Closing.stoppingTheReactorLosesEveryConnection` |
    ///
    /// Of the rows about connecting and listening, these are tested where only one kind of connection has them:
    ///
    /// | row | test |
    /// |-----|------|
    /// | K08 | `SocketDialerTests.aPortThatIsNoneFailsTheAttemptAfterTheCall`, `SocketListenerTests.whatIsNoAddressOrNoPortIsRefused` |
    /// | K09 | `SocketListenerTests.aPortInUseIsNamedInTheError` |
    /// | K12 | `ServedProcessTests`, which gives a server's process few descriptors |
    ///
    /// K16 has none: a port is a number here, and a service's name belongs to the endpoint that is written as text.
    @Suite("The loop, however it waits")
    struct Looping {
        @Test(
            "each kind of loop waits in its own way",
            arguments: [
                (StreamKind.tcpOnPoll, "poll"), (.tcpOnSelect, "select"),
            ])
        func eachWaitsInItsOwnWay(on kind: StreamKind, method: String) throws {
            let reactor = try #require(try kind.makeReactor(log: RecordedLog()) as? LibeventReactor)
            #expect(reactor.backendMethod == method)
            let best = try LibeventReactor()
            #expect(["epoll", "kqueue"].contains(best.backendMethod))
        }

        @Test("R04: a call of no delay is made on the next turn, after input, and in the order of setting", arguments: StreamKind.allCases)
        func aCallOfNoDelay(on kind: StreamKind) throws {
            var story: [String] = []
            try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = { server in
                    // The answer lies in the client's socket when the next turn begins.
                    pair.reactor.callLater(.zero) {
                        server.transport.write("answer")
                        pair.reactor.callLater(.zero) { story.append("first") }
                        pair.reactor.callLater(.milliseconds(-5)) { story.append("second") }
                        pair.reactor.callLater(.zero) {
                            story.append("third")
                            server.transport.loseConnection()
                        }
                    }
                }
                pair.client.whenData = { _ in story.append("input") }
            }
            #expect(story == ["input", "first", "second", "third"])
        }

        @Test("R10: calls from another thread wake a sleeping loop, in their order", arguments: StreamKind.allCases)
        func callsFromAnotherThread(on kind: StreamKind) throws {
            let count = 1_000
            let seen = Shared<[Int]>([])
            let log = RecordedLog()
            try withReactor(on: kind, log: log, errors: 1) { reactor in
                let handle = reactor.handle
                reactor.inBackground {
                    for number in 0..<count {
                        // Now and then the loop has gone to sleep again by the time of the next call.
                        if number % 100 == 0 { pauseThread(.milliseconds(1)) }
                        handle.callFromThread { reactor in
                            seen.value.append(number)
                            if number == 500 { throw Refusal() }
                            if number == count - 1 { reactor.stop() }
                        }
                    }
                }
            }
            #expect(seen.value == Array(0..<count))
            #expect(log.count(containing: "a call from a thread threw: Refusal(number: 0)") == 1)
        }

        @Test("R10: a loop with nothing to do sleeps", arguments: StreamKind.allCases)
        func aLoopWithNothingToDoSleeps(on kind: StreamKind) throws {
            try withPair(on: kind) { pair in
                pair.client.whenMade = { client in
                    pair.reactor.afterTurns(3) {
                        let start = threadProcessorTime()
                        pair.reactor.callLater(.milliseconds(100)) {
                            #expect(threadProcessorTime() - start < .milliseconds(50), "the reactor spins")
                            client.transport.loseConnection()
                        }
                    }
                }
            }
        }

        @Test("a sleeping reactor hears of input, of room to write and of timers", arguments: StreamKind.allCases)
        func aSleepingReactorHears(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    server.transport.callLater(.milliseconds(20)) { server.transport.loseConnection() }
                }
            }
            #expect(pair.client.received.count == tooMuch.count)
        }
    }
}
