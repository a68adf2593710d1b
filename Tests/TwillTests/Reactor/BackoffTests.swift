import Testing
import Twill

struct BackoffTests {
    private static func waits(_ backoff: Backoff, _ count: Int, seed: UInt64 = 1) -> [Duration] {
        var backoff = backoff
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in backoff.next(using: &random) }
    }

    @Test func waitsGrowByTheFactorUpToTheLimit() {
        let backoff = Backoff(initialDelay: .seconds(2), maxDelay: .seconds(30), factor: 3, jitter: 0)
        #expect(Self.waits(backoff, 5) == [.seconds(2), .seconds(6), .seconds(18), .seconds(30), .seconds(30)])
    }

    @Test func defaultsAreThoseOfTwisted() {
        let waits = Self.waits(Backoff(jitter: 0), 20)
        #expect(waits[0] == .seconds(1))
        #expect(waits[1] > .seconds(2.7182) && waits[1] < .seconds(2.7183))
        #expect(waits[19] == .seconds(3600))
    }

    @Test func resetBeginsAgain() {
        var backoff = Backoff(jitter: 0)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<3 { _ = backoff.next(using: &random) }
        backoff.reset()
        #expect(backoff.next(using: &random) == .seconds(1))
    }

    @Test(arguments: Seeds.first(20))
    func chanceStaysInItsBoundsAndDoesNotAddUp(seed: UInt64) {
        let plain = Self.waits(Backoff(maxDelay: .seconds(100), jitter: 0), 12)
        let jittered = Self.waits(Backoff(maxDelay: .seconds(100), jitter: 0.25), 12, seed: seed)
        for (wait, base) in zip(jittered, plain) {
            #expect(wait >= base * 0.7499 && wait <= min(base * 1.2501, .seconds(100)))
        }
        #expect(Set(jittered).count > 1)
    }

    @Test func everyLengthInBetweenIsAsLikely() {
        let waits = (0..<2000).map { Self.waits(Backoff(jitter: 0.5), 1, seed: UInt64($0))[0] }
        let quarters = Dictionary(grouping: waits) { Int(($0 / .seconds(1) - 0.5) * 4) }.mapValues(\.count)
        for quarter in 0..<4 {
            #expect((400...600).contains(quarters[quarter] ?? 0), "\(quarters)")
        }
    }

    @Test(arguments: [
        Backoff(initialDelay: .seconds(Int64.max), maxDelay: .seconds(Int64.max), factor: .infinity, jitter: 5),
        Backoff(initialDelay: .seconds(-5), maxDelay: .seconds(-1), factor: -3, jitter: -2),
        Backoff(initialDelay: .zero, maxDelay: .zero, factor: .nan, jitter: .nan),
        Backoff(initialDelay: .milliseconds(1), maxDelay: .seconds(Int64.max), factor: 1e300, jitter: 1),
    ])
    func oddValuesAreBroughtIntoBounds(backoff: Backoff) {
        for wait in Self.waits(backoff, 5) {
            #expect(wait >= .zero && wait <= max(.zero, backoff.maxDelay))
        }
    }
}
