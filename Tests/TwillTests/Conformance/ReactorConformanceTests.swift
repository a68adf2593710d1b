import Testing
import TwillTesting

@testable import Twill

extension Conformance {
    /// The cases that every reactor is held to, on each ``StreamKind``. They live in TwillTesting, which offers them to everybody.
    ///
    /// The other rows of the catalogue that are about reactors do not touch the waiting, and are tested once:
    ///
    /// | row | test |
    /// |-----|------|
    /// | R01 | `DelayedCallTests.aCancelledCallCanNotBeCancelledOrMovedAgain` |
    /// | R02 | `DelayedCallTests.aCallThatWasMadeCanNotBeCancelledOrMoved` |
    /// | R03 | `TimerQueueTests.aNegativeDelayCountsAsNone` |
    /// | R04 | `TimerQueueTests.callsOfOneMomentAreMadeInTheOrderInWhichTheyWereSet`, `…aCallOfNoDelayThatACallAddsIsDueAtTheNextLookOnly`; and as a case |
    /// | R07 | `LibeventReactorTests.aReactorRunsUntilItIsStopped`, `…stoppingBeforeRunningMakesRunReturnAfterItsEvents`, `…runningAReactorThatRunsIsAnError`, `…aStoppedReactorRunsAgain` |
    /// | R09 | `SystemEventsTests.aCallBeforeTheEventMayRemoveOneDuringIt` |
    /// | R10 | `ReactorHandleTests.everyThreadsCallsAreMadeOnceEachAndInItsOrder`, `…aCallThatThrowsIsLoggedAndTheLoopGoesOn`; and as a case |
    /// | R11 | "stopping the reactor loses every connection", a case |
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
    @Suite("What every reactor is held to")
    struct Contract {
        @Test("TCP: the contract holds on every loop, and all tell the same story", arguments: ReactorConformance.all)
        func tcp(_ promise: ConformanceCase) throws {
            try expectSameStory(promise, of: [.tcp, .tcpOnPoll, .tcpOnSelect, .simulated])
        }

        @Test("UNIX: the contract holds on every loop, and all tell the same story", arguments: ReactorConformance.all)
        func unix(_ promise: ConformanceCase) throws {
            try expectSameStory(promise, of: [.unix, .simulatedUNIX])
        }

        @Test("the contract holds through a wrapper, behind a proxy's header, and on pipes", arguments: ReactorConformance.all)
        func others(_ promise: ConformanceCase) throws {
            for kind in StreamKind.allCases where ![.tcp, .tcpOnPoll, .tcpOnSelect, .simulated, .unix, .simulatedUNIX].contains(kind) {
                try promise.run(on: kind.subject)
            }
        }

        private func expectSameStory(_ promise: ConformanceCase, of kinds: [StreamKind]) throws {
            var first: [String]?
            for kind in kinds {
                let story = try promise.run(on: kind.subject)
                #expect(story == first ?? story, "\(kind.testDescription)")
                first = story
            }
        }
    }
}
