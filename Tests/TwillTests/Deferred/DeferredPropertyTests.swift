import TestSupport
import Testing

@testable import Twill

// Random trees of links are played to Deferreds, and to a naive reference that recurses: both must make the same calls in the same order.
@Suite("Random chains of Deferreds", .nothingLivesOn)
struct DeferredPropertyTests {
    private struct Refusal: Error {
        var number: Int
    }

    /// What a link's call does.
    private enum Act {
        case add(Int)
        case fail(Int)
        case returnFired(Int)
        case returnFailed(Int)
        /// Returns the source with that number.
        case returnSource(Int)
    }

    private enum Hearing: CaseIterable {
        case value, error, both
    }

    private struct Plan {
        var number: Int
        var hearing: Hearing
        var act: Act
        var children: [Plan]

        init(_ generator: inout SeededGenerator, depth: Int, next: inout Int, sources: Int) {
            number = next
            next += 1
            hearing = Hearing.allCases.randomElement(using: &generator) ?? .both
            let amount = Int.random(in: 0..<100, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: act = .fail(amount)
            case 1: act = .returnFired(amount)
            case 2: act = .returnFailed(amount)
            case 3, 4: act = .returnSource(Int.random(in: 0..<sources, using: &generator))
            default: act = .add(amount)
            }
            children = []
            guard depth > 0 else { return }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                children.append(Plan(&generator, depth: depth - 1, next: &next, sources: sources))
            }
        }
    }

    /// The reference: a result and closures, called by recursion.
    private final class Naive {
        var result: Result<Int, any Error>?
        var waiting: [(Result<Int, any Error>) -> Void] = []

        func fire(_ result: Result<Int, any Error>) {
            guard self.result == nil else { return }
            self.result = result
            while !waiting.isEmpty { waiting.removeFirst()(result) }
        }

        func whenFired(_ call: @escaping (Result<Int, any Error>) -> Void) {
            if let result, waiting.isEmpty { call(result) } else { waiting.append(call) }
        }
    }

    private static func describe(_ result: Result<Int, any Error>) -> String {
        switch result {
        case .success(let value): "\(value)"
        case .failure(let error): (error as? Refusal).map { "refusal \($0.number)" } ?? "\(error)"
        }
    }

    private final class Log {
        var lines: [String] = []
    }

    private func playNaive(_ plan: Plan, after source: Naive, _ sources: [Naive], _ log: Log) {
        let link = Naive()
        source.whenFired { result in
            var hears = true
            if case .failure = result { hears = plan.hearing != .value } else { hears = plan.hearing != .error }
            guard hears else { return link.fire(result) }
            log.lines.append("\(plan.number) gets \(Self.describe(result))")
            let value = (try? result.get()) ?? 0
            switch plan.act {
            case .add(let amount): link.fire(.success(value + amount))
            case .fail(let number): link.fire(.failure(Refusal(number: number)))
            case .returnFired(let amount): link.fire(.success(amount))
            case .returnFailed(let number): link.fire(.failure(Refusal(number: number)))
            case .returnSource(let index):
                if let result = sources[index].result { link.fire(result) } else { sources[index].whenFired { link.fire($0) } }
            }
        }
        for child in plan.children { playNaive(child, after: link, sources, log) }
    }

    private func play(_ plan: Plan, after source: Deferred<Int>, _ sources: [Deferred<Int>], _ log: Log) {
        let act = { (result: Result<Int, any Error>) throws -> Deferred<Int> in
            log.lines.append("\(plan.number) gets \(Self.describe(result))")
            let value = (try? result.get()) ?? 0
            switch plan.act {
            case .add(let amount): return .succeed(value + amount)
            case .fail(let number): throw Refusal(number: number)
            case .returnFired(let amount): return .succeed(amount)
            case .returnFailed(let number): return .fail(Refusal(number: number))
            case .returnSource(let index): return sources[index]
            }
        }
        var link: Deferred<Int>
        switch plan.hearing {
        case .value:
            if case .add(let amount) = plan.act {
                link = source.addCallback { value in
                    log.lines.append("\(plan.number) gets \(value)")
                    return value + amount
                }
            } else {
                link = source.addCallback { try act(.success($0)) }
            }
        case .error: link = source.addErrback { error -> Deferred<Int> in try act(.failure(error)) }
        case .both: link = source.addBoth { result -> Deferred<Int> in try act(result) }
        }
        link.wasObserved = true
        for child in plan.children { play(child, after: link, sources, log) }
    }

    @Test(arguments: Seeds.first(300)) func randomTreesOfLinksDoWhatANaiveReferenceDoes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let count = 4
        var next = 0
        let (real, naive) = (Log(), Log())
        let sources = (0..<count).map { _ in Deferred<Int>() }
        let naiveSources = (0..<count).map { _ in Naive() }
        var events = (0..<count).map { $0 } + (0..<6).map { _ in -1 }
        events.shuffle(using: &generator)
        for event in events {
            if event >= 0 {
                let result: Result<Int, any Error> = Bool.random(using: &generator) ? .success(event) : .failure(Refusal(number: event))
                sources[event].wasObserved = true
                try sources[event].fire(result)
                naiveSources[event].fire(result)
            } else {
                let plan = Plan(&generator, depth: 4, next: &next, sources: count)
                let start = Int.random(in: 0..<count, using: &generator)
                play(plan, after: sources[start], sources, real)
                playNaive(plan, after: naiveSources[start], naiveSources, naive)
            }
        }
        #expect(real.lines == naive.lines, "PROPERTY_SEED=\(seed)")
    }
}
