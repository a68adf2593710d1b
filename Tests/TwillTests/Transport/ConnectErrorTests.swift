import TestSupport
import Testing

@testable import Twill

@Suite("Failures to connect", .nothingLivesOn)
struct ConnectErrorTests {
    private static let errors: [ConnectError] = [.refused, .timedOut, .unreachable, .unknownHost, .cancelled, .cannotBind, .failed]

    @Test func failuresOfOneKindAreEqualWhereverTheyHappened() {
        #expect(ConnectError.refused.to("127.0.0.1:1") == .refused)
        #expect(ConnectError.refused.to("127.0.0.1:1") == .refused.to("[::1]:2", because: ConnectError.failed))
    }

    @Test func failuresOfDifferentKindsDiffer() {
        for (index, error) in Self.errors.enumerated() {
            for (other, otherError) in Self.errors.enumerated() {
                #expect((error == otherError) == (index == other))
            }
        }
    }

    @Test func eachFailureIsASentenceOfItsOwn() {
        #expect(Set(Self.errors.map(\.description)).count == Self.errors.count)
    }

    @Test func theSentenceNamesTheDestinationAndTheCause() {
        let cause = SystemError(call: "connect", errno: 111, message: "connection refused")
        let error = ConnectError.refused.to("127.0.0.1:8007", because: cause)
        #expect(
            error.description
                == "Couldn't connect to 127.0.0.1:8007: connection refused; is the server running?"
        )
        #expect(error.destination == "127.0.0.1:8007")
        #expect(error.underlying as? SystemError == cause)
        #expect(ConnectError.timedOut.description == "Couldn't connect: no answer within the connect timeout")
    }
}
