import TestSupport
import Testing

@testable import Twill

@Suite(.nothingLivesOn) struct LogQuotaTests {
    private func time(_ seconds: Double) -> ReactorClock.Instant { ReactorClock.Instant(nanoseconds: Int64(seconds * 1e9)) }

    @Test func soManyLinesAreLoggedInAPeriodAndTheOthersAreCounted() {
        var quota = LogQuota(2, each: .seconds(1))
        #expect(quota.next(time(5)) == "")
        #expect(quota.next(time(5.5)) == "")
        #expect(quota.next(time(5.6)) == nil)
        #expect(quota.next(time(5.999)) == nil)
        #expect(quota.next(time(6)) == " (and 2 more since the last such line)")
        #expect(quota.next(time(6.1)) == "")
        #expect(quota.next(time(6.2)) == nil)
        #expect(quota.next(time(100)) == " (and 1 more since the last such line)")
    }
}
