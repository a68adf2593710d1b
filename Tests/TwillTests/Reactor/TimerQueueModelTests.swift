import TestSupport
import Testing

import class TwillTesting.ManualClock

@testable import Twill

/// Does random things to a queue and to the simplest thing that behaves like one, a sorted array, and compares what they do.
@Suite("The queue of timers against a model", .nothingLivesOn)
struct TimerQueueModelTests {
    private struct Entry {
        var number: Int
        var time: Int64
        var sequence: Int
    }

    private final class Fired {
        var numbers: [Int] = []
    }

    @Test(arguments: UInt64(1)...40)
    func theQueueDoesWhatASortedArrayDoes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let time = ManualClock()
        let queue = TimerQueue(clock: time.clock)
        let fired = Fired()
        var now: Int64 = 0
        var model: [Entry] = []
        var calls: [Int: DelayedCall] = [:]
        var sequence = 0

        for number in 0..<2_000 {
            sequence += 1
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...3:
                let delay = Int64.random(in: -5...50, using: &generator)
                calls[number] = queue.add(after: .nanoseconds(delay)) { fired.numbers.append(number) }
                model.append(Entry(number: number, time: now + max(0, delay), sequence: sequence))
            case 4...5:
                guard let index = model.indices.randomElement(using: &generator) else { continue }
                try calls[model[index].number]?.cancel()
                model.remove(at: index)
            case 6:
                guard let index = model.indices.randomElement(using: &generator) else { continue }
                let delay = Int64.random(in: -5...50, using: &generator)
                try calls[model[index].number]?.reset(.nanoseconds(delay))
                model[index].time = now + max(0, delay)
                model[index].sequence = sequence
            case 7:
                guard let index = model.indices.randomElement(using: &generator) else { continue }
                let amount = Int64.random(in: -20...20, using: &generator)
                try calls[model[index].number]?.delay(by: .nanoseconds(amount))
                model[index].time += amount
                model[index].sequence = sequence
            default:
                let step = Int64.random(in: 0...15, using: &generator)
                time.advance(by: .nanoseconds(step))
                now += step
                let due = model.filter { $0.time <= now }.sorted { ($0.time, $0.sequence) < ($1.time, $1.sequence) }
                model.removeAll { $0.time <= now }
                fired.numbers = []
                for call in queue.takeDue() { try call.fire() }
                try #require(fired.numbers == due.map(\.number), "seed \(seed), step \(number)")
            }
            try #require(queue.calls.count == model.count, "seed \(seed), step \(number)")
            if let earliest = model.map(\.time).min() {
                // Moved calls may make the queue look too early, never too late.
                try #require(queue.nextTime.nanoseconds <= earliest, "seed \(seed), step \(number)")
            } else {
                try #require(queue.nextTime == .never, "seed \(seed), step \(number)")
            }
        }
    }
}
