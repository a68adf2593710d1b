import TestSupport
import Testing

@testable import Twill

@Suite("Reasons of a loss", .nothingLivesOn)
struct ConnectionLostTests {
    private static let reasons: [ConnectionLost] = [.done, .lost, .aborted, .timedOut, .unsentLimit, .failed, .reactorStopped]

    @Test func reasonsOfOneKindAreEqualWhateverLiesBeneath() {
        let reset = SystemError(call: "recv", errno: 104, message: "connection reset by peer")
        #expect(ConnectionLost.lost(reset) == .lost)
        #expect(ConnectionLost.failed(reset) == .failed)
        #expect(ConnectionLost.failed(reset) != .lost(reset))
    }

    @Test func reasonsOfDifferentKindsDiffer() {
        for (index, reason) in Self.reasons.enumerated() {
            for (other, otherReason) in Self.reasons.enumerated() {
                #expect((reason == otherReason) == (index == other))
            }
        }
    }

    @Test func onlyACloseInGoodOrderIsClean() {
        #expect(Self.reasons.filter(\.isClean) == [.done])
    }

    @Test func eachReasonIsASentenceOfItsOwn() {
        #expect(Set(Self.reasons.map(\.description)).count == Self.reasons.count)
        #expect(ConnectionLost.done.description == "the connection was closed cleanly")
    }

    @Test func theErrorBeneathIsPartOfTheSentence() throws {
        let reset = SystemError(call: "recv", errno: 104, message: "connection reset by peer")
        let reason = ConnectionLost.lost(reset)
        #expect(reason.description == "the connection was lost: connection reset by peer (recv, errno 104)")
        #expect(reason.underlying as? SystemError == reset)
        #expect(reason.errno == 104)
        #expect(ConnectionLost.lost.underlying == nil)
        #expect(ConnectionLost.failed(CancellationError()).errno == nil)
    }

    @Test func whoeverDidNotEndInGoodOrderIsNamed() throws {
        let peer = try #require(Address(host: "127.0.0.1", port: 8007))
        let reset = SystemError(call: "recv", errno: 104, message: "connection reset by peer")
        let reason = ConnectionLost.lost(reset).with(peer)
        #expect(reason == .lost && reason.peer == peer && reason.errno == 104)
        #expect(reason.description == "the connection with 127.0.0.1:8007 was lost: connection reset by peer (recv, errno 104)")
        #expect(ConnectionLost.timedOut.with(peer).description == "the peer 127.0.0.1:8007 took too long")
        #expect(ConnectionLost.done.with(peer).peer == .unknown)
    }
}
