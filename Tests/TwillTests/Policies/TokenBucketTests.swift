import TestSupport
import Testing

@testable import Twill

@Suite(.nothingLivesOn) struct TokenBucketTests {
    private let start = ReactorClock.Instant(nanoseconds: 5_000_000_000)

    private func after(_ duration: Duration) -> ReactorClock.Instant { start.advanced(by: duration) }

    @Test func whatOneSecondEarnsMayBeTakenAtOnce() {
        var bucket = TokenBucket(tokensPerSecond: 10)
        bucket.take(10, at: start)
        #expect(bucket.debt(at: start) == .zero)
        bucket.take(1, at: start)
        #expect(bucket.debt(at: start) == .milliseconds(100))
    }

    @Test func theCasesOfTwisted() {
        // M04: 20 bytes at a limit of 10 are a debt of 20/10 - 1 seconds.
        var bucket = TokenBucket(tokensPerSecond: 10)
        bucket.take(20, at: start)
        #expect(bucket.debt(at: start) == .seconds(1))
        #expect(bucket.debt(at: after(.milliseconds(400))) == .milliseconds(600))
        #expect(bucket.debt(at: after(.seconds(1))) == .zero)
    }

    @Test func noMoreThanOneSecondIsSavedUp() {
        var bucket = TokenBucket(tokensPerSecond: 10)
        bucket.take(20, at: start)
        bucket.take(20, at: after(.seconds(3600)))
        #expect(bucket.debt(at: after(.seconds(3600))) == .seconds(1))
    }

    @Test func theTimeBetweenEarnsItsShare() {
        var bucket = TokenBucket(tokensPerSecond: 1000)
        bucket.take(1000, at: start)
        bucket.take(250, at: after(.milliseconds(250)))
        #expect(bucket.debt(at: after(.milliseconds(250))) == .zero)
        bucket.take(1, at: after(.milliseconds(250)))
        #expect(bucket.debt(at: after(.milliseconds(250))) == .milliseconds(1))
    }

    @Test func overAnHourNoMoreIsGivenThanTheRateAndOneBurst() {
        // Someone greedy takes a random amount whenever nothing is owed.
        var bucket = TokenBucket(tokensPerSecond: 12_345)
        var random = SplitMix(seed: 7)
        var now = start
        var taken = 0
        let end = after(.seconds(3600))
        while now < end {
            let count = Int(random.next() % 5000) + 1
            bucket.take(count, at: now)
            taken += count
            now = now.advanced(by: bucket.debt(at: now))
        }
        let allowed = 12_345 * 3601
        #expect(taken >= allowed)
        #expect(taken <= allowed + 5000 + 1)
    }

    @Test func hugeAmountsAndRatesDoNotOverflow() {
        var slow = TokenBucket(tokensPerSecond: 1)
        slow.take(.max, at: start)
        slow.take(.max, at: start)
        #expect(slow.debt(at: start) > .seconds(3600 * 24 * 365))
        var fast = TokenBucket(tokensPerSecond: .max)
        fast.take(1 << 40, at: start)
        #expect(fast.debt(at: start) == .zero)
    }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
