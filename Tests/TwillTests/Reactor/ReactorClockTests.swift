import TestSupport
import Testing

@testable import Twill

@Suite("The reactor's clock", .nothingLivesOn)
struct ReactorClockTests {
    @Test func momentsAreAddedAndSubtracted() {
        let moment = ReactorClock.Instant(nanoseconds: 5_000)
        #expect(moment.advanced(by: .microseconds(2)).nanoseconds == 7_000)
        #expect(moment.duration(to: ReactorClock.Instant(nanoseconds: 1_000)) == .microseconds(-4))
        #expect(moment < moment.advanced(by: .nanoseconds(1)))
    }

    @Test func aSumThatDoesNotFitStaysAtTheEndOfTime() {
        let moment = ReactorClock.Instant(nanoseconds: 1)
        #expect(moment.advanced(by: .seconds(Int64.max)) == .never)
        #expect(moment.advanced(by: .seconds(Int64.min)).nanoseconds < 0)
        #expect(ReactorClock.Instant.never.advanced(by: .seconds(1)) == .never)
        #expect(ReactorClock.Instant(nanoseconds: .min).advanced(by: .seconds(-1)).nanoseconds == .min)
    }

    @Test(
        arguments: [
            (Duration.zero, Int64(0)), (.nanoseconds(1), 1), (.milliseconds(-1), -1_000_000), (.seconds(3), 3_000_000_000),
            (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999), 0), (.seconds(Int64.max), .max), (.seconds(Int64.min), .min),
        ] as [(Duration, Int64)])
    func durationsBecomeWholeNanoseconds(duration: Duration, nanoseconds: Int64) {
        #expect(duration.clampedNanoseconds == nanoseconds)
    }

    @Test func aRealReactorsClockNeverGoesBack() throws {
        let clock = try LibeventReactor().clock
        var last = clock.now
        for _ in 0..<10_000 {
            let now = clock.now
            #expect(now >= last)
            last = now
        }
    }
}
