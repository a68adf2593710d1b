import Twill

/// What a run is judged by.
extension SimulatedNetwork {
    /// What happened so far.
    public var trace: SimulationTrace { world.trace }

    /// What happened that no run may do; each a sentence. It stays empty unless Twill itself is wrong.
    ///
    /// Always looked at: `connectionMade` comes once and first, `connectionLost` once and last, and no callback of a connection's inside another;
    /// the bytes that arrive are those that were sent, from the first on without a gap; no timer fires early.
    public var violations: [String] { world.violations }

    /// What is still there: ports, connections, attempts to connect, delayed calls; each a few words. After ``stop()`` there should be nothing.
    public var leftovers: [String] {
        sortedHosts.flatMap(\.leftovers)
    }

    /// Whether nothing is under way: no byte, no attempt to connect, nothing that waits to be sent. Timers don't count.
    public var isQuiet: Bool { !world.isUnderWay && !sortedHosts.contains(where: \.isBusy) }

    /// Lets time go by until nothing is under way.
    ///
    /// - Throws: ``SimulationError/notQuiet(_:)`` where something still is when the limit is reached.
    public func runUntilQuiet(within limit: Duration) throws {
        guard try run(within: limit, until: { isQuiet }) else {
            throw SimulationError.notQuiet("after \(limit): " + leftovers.joined(separator: ", "))
        }
    }

    /// Throws where something does not hold.
    ///
    /// - Throws: ``SimulationError/unmet(_:)`` with the sentence.
    public func expect(_ holds: Bool, _ sentence: @autoclosure () -> String) throws {
        if !holds { throw SimulationError.unmet(sentence()) }
    }
}

extension SimulatedReactor {
    fileprivate var leftovers: [String] {
        var left = ports.map { "\(name): the port \($0.address)" }
        left += datagramPorts.map { "\(name): the datagram port \($0.host)" }
        left += transports.compactMap { $0 }.map { "\(name): a connection with \($0.peer)" }
        left += dialers.map { "\(name): an attempt to connect to \($0.destination)" }
        if !delayedCalls.isEmpty { left.append("\(name): \(delayedCalls.count) delayed calls") }
        return left
    }

    fileprivate var isBusy: Bool {
        !dialers.isEmpty || transports.contains { $0?.bufferedByteCount ?? 0 > 0 }
    }
}
