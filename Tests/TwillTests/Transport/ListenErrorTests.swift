import TestSupport
import Testing

@testable import Twill

@Suite("Failures to listen", .nothingLivesOn)
struct ListenErrorTests {
    private static let errors: [ListenError] = [.addressInUse, .addressNotAvailable, .permissionDenied, .badAddress, .failed]

    @Test func failuresOfOneKindAreEqualWhereverTheyHappened() {
        #expect(ListenError.addressInUse.on("127.0.0.1:8007") == .addressInUse)
        #expect(ListenError.addressInUse != .permissionDenied)
    }

    @Test func eachFailureIsASentenceOfItsOwn() {
        #expect(Set(Self.errors.map(\.description)).count == Self.errors.count)
    }

    @Test func theSentenceNamesTheAddressAndSaysWhatToDo() {
        #expect(
            ListenError.addressInUse.on("127.0.0.1:8007").description
                == "Couldn't listen on 127.0.0.1:8007: address already in use; stop the other server or choose another port")
    }

    @Test func anUnusualFailureSpeaksTheSystemsWords() {
        let cause = SystemError(call: "socket", errno: 93, message: "protocol not supported")
        let error = ListenError.failed.on("[::1]:80", because: cause)
        #expect(error.description == "Couldn't listen on [::1]:80: protocol not supported (socket, errno 93)")
        #expect(error.underlying == cause)
    }
}
