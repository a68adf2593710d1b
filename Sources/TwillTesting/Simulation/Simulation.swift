import Foundation
import Logging
import Twill

/// Runs a scene on many seeds, looks at each run for what no run may do, and says how to have a failing one again.
///
/// ```swift
/// @Test func everyLineArrivesWhole() throws {
///     try Simulation.check(seeds: 100) { network in
///         network.faults = .swarm(seed: network.seed)
///         try network.host("server").listenTCP(port: 8007, factory: Factory { Greeting() })
///         let client = Persistent()  // a ReconnectingClientFactory that collects lines
///         try network.host("client").connectTCP(host: "server", port: 8007, factory: client)
///         try network.run(for: .seconds(600))
///         network.heal()
///         try network.runUntilQuiet(within: .seconds(120))
///         try network.expect(client.lines.allSatisfy { $0 == "hello" }, "a line was damaged")
///     }
/// }
/// ```
///
/// After the scene the network is stopped, and then every oracle must be content: see ``SimulatedNetwork/violations`` and
/// ``SimulatedNetwork/leftovers``.
///
/// A failure is made smaller before it is reported: the same seed is run with fewer faults, as long as it fails.
///
/// The environment changes what is run: `TWILL_SIM=seed=42,faults=7` that run alone, as a failure prints it; `TWILL_SIM_SEEDS=1000` so many seeds,
/// `TWILL_SIM_FROM=1001` from that one on; `TWILL_SIM_TIME=60` seeds for so many seconds; `TWILL_SIM_CHECK=1` each seed twice, whose traces must be the
/// same; `TWILL_SIM_SHRINK=0` leaves a failure as large as it is, else so many runs are tried (50).
public enum Simulation {
    /// Runs a scene on seeds from 1 on.
    ///
    /// - Parameters:
    ///   - seeds: how many, where the environment does not say.
    ///   - probes: names of probes, each of which some seed must reach; see ``SimulatedNetwork/probe(_:)``.
    ///   - test: what the line that replays a failure filters by: the test's own name.
    ///   - scene: builds hosts on a new network, and lets time go by.
    /// - Throws: ``SimulationFailure`` for the first seed that fails; ``SimulationError``.
    public static func check(
        seeds: Int = 20, reaching probes: [String] = [], test: String = #function, _ scene: (SimulatedNetwork) throws -> Void
    ) throws {
        try check(SeedPlan(seeds: seeds, ProcessInfo.processInfo.environment), reaching: probes, test: test, scene)
    }

    static func check(
        _ plan: SeedPlan, reaching probes: [String] = [], test: String, _ play: (SimulatedNetwork) throws -> Void
    ) throws {
        var unreached = probes
        func scene(_ network: SimulatedNetwork) throws {
            defer { unreached.removeAll { network.probes[$0] != nil } }
            try play(network)
        }
        try plan.forEachRun { run in
            switch result(of: run, test, scene) {
            case .failure(let finding):
                throw FaultShrinker.shrink(finding, tries: plan.only == nil ? plan.triesToShrink : 0) { smaller in
                    guard case .failure(let finding) = result(of: smaller, test, scene) else { return nil }
                    return finding
                }.failure
            case .success(let digest):
                guard plan.runsTwice else { return }
                guard case .success(digest) = result(of: run, test, scene) else { throw SimulationError.notTheSame(seed: run.seed) }
            }
        }
        // One seed alone is run to look at it.
        if plan.only == nil, !unreached.isEmpty { throw SimulationError.unreached(unreached) }
    }

    /// What comes of a run.
    private enum Outcome {
        /// The digest of its trace.
        case success(UInt64)
        case failure(FaultShrinker.Finding)
    }

    private static func result(of run: SimulationCase, _ test: String, _ scene: (SimulatedNetwork) throws -> Void) -> Outcome {
        // Errors that faults cause are what such a run is about, and would fill the log.
        let faults = run.faultSwitch
        let network = SimulatedNetwork(seed: run.seed, faults, logger: Logger(label: "twill") { _ in SwiftLogNoOpLogHandler() })
        do {
            try scene(network)
            try network.stop()
            try network.expect(network.violations.isEmpty, network.violations.joined(separator: "\n"))
            try network.expect(network.leftovers.isEmpty, "left over at the end: " + network.leftovers.joined(separator: ", "))
            return .success(network.trace.digest)
        } catch {
            let failure = SimulationFailure(
                run: run, test: String(test.prefix { $0 != "(" }), cause: error, faults: faults.happened, trace: network.trace)
            try? network.stop()
            return .failure(FaultShrinker.Finding(run: run, failure: failure))
        }
    }
}
