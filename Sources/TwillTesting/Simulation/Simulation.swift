import Foundation
import Logging
import Twill

/// Runs a scene on many seeds, looks at each run for what no run may do, and says how to have a failing one again.
///
/// ```swift
/// @Test func everyLineArrivesWhole() throws {
///     try Simulation.check(seeds: 100) { network in
///         network.faults = .swarm(seed: network.seed)
///         …
///         try network.run(for: .seconds(600))
///         network.heal()
///         try network.runUntilQuiet(within: .seconds(120))
///         try network.expect(client.lines == expected, "a line was damaged")
///     }
/// }
/// ```
///
/// After the scene the network is stopped, and then every oracle must be content: see ``SimulatedNetwork/violations`` and
/// ``SimulatedNetwork/leftovers``.
///
/// The environment changes what is run: `TWILL_SIM=seed=42` that seed alone, as a failure prints it; `TWILL_SIM_SEEDS=1000` so many seeds;
/// `TWILL_SIM_TIME=60` seeds for so many seconds; `TWILL_SIM_CHECK=1` each seed twice, whose traces must be the same.
public enum Simulation {
    /// Runs a scene on seeds from 1 on.
    ///
    /// - Parameters:
    ///   - seeds: how many, where the environment does not say.
    ///   - test: what the line that replays a failure filters by: the test's own name.
    ///   - scene: builds hosts on a new network, and lets time go by.
    /// - Throws: ``SimulationFailure`` for the first seed that fails.
    public static func check(seeds: Int = 20, test: String = #function, _ scene: (SimulatedNetwork) throws -> Void) throws {
        try check(SeedPlan(seeds: seeds, ProcessInfo.processInfo.environment), test: test, scene)
    }

    static func check(_ plan: SeedPlan, test: String, _ scene: (SimulatedNetwork) throws -> Void) throws {
        try plan.forEachSeed { seed in
            let digest = try run(seed, test, scene)
            guard plan.runsTwice else { return }
            let again = try run(seed, test, scene)
            guard digest == again else { throw SimulationError.notTheSame(seed: seed) }
        }
    }

    /// Runs one seed; the digest of its trace.
    private static func run(_ seed: UInt64, _ test: String, _ scene: (SimulatedNetwork) throws -> Void) throws -> UInt64 {
        // Errors that faults cause are what such a run is about, and would fill the log.
        let network = SimulatedNetwork(seed: seed, logger: Logger(label: "twill") { _ in SwiftLogNoOpLogHandler() })
        do {
            try scene(network)
            try network.stop()
            try network.expect(network.violations.isEmpty, network.violations.joined(separator: "\n"))
            try network.expect(network.leftovers.isEmpty, "left over at the end: " + network.leftovers.joined(separator: ", "))
        } catch {
            let failure = SimulationFailure(seed: seed, test: String(test.prefix { $0 != "(" }), cause: error, trace: network.trace)
            try? network.stop()
            throw failure
        }
        return network.trace.digest
    }
}

/// A seed on which a scene has failed, and how to run it again.
public struct SimulationFailure: Error, CustomStringConvertible, Sendable {
    /// The seed.
    public let seed: UInt64
    /// The test that has failed.
    public let test: String
    /// What was thrown.
    public let cause: any Error
    /// What happened before.
    public let trace: SimulationTrace

    /// The command that runs this seed again.
    public var replayLine: String { "TWILL_SIM=seed=\(seed) swift test --filter \(test)" }

    public var description: String { "seed \(seed): \(cause)\nagain: \(replayLine)\n\(trace.text)" }
}

/// Which seeds are run, as the environment says.
struct SeedPlan {
    let only: UInt64?
    let count: UInt64
    let seconds: Int?
    let runsTwice: Bool

    init(seeds: Int, _ environment: [String: String]) {
        only = environment["TWILL_SIM"].flatMap { $0.split(separator: "=").last }.flatMap { UInt64($0) }
        count = environment["TWILL_SIM_SEEDS"].flatMap { UInt64($0) } ?? UInt64(max(0, seeds))
        seconds = environment["TWILL_SIM_TIME"].flatMap { Int($0) }
        runsTwice = environment["TWILL_SIM_CHECK"] == "1"
    }

    func forEachSeed(_ body: (UInt64) throws -> Void) rethrows {
        if let only { return try body(only) }
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        var seed: UInt64 = 1
        while end.map({ ContinuousClock.now < $0 }) ?? (seed <= count) {
            try body(seed)
            seed += 1
        }
    }
}
