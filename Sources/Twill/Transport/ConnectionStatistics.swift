/// What was counted of a port's connections, or of a reactor's.
///
/// A copy of the counters at the moment at which it was asked for. Reading costs the same whatever the number of connections.
public struct ConnectionStatistics: Sendable, Equatable {
    /// How many connections were accepted, those refused by the factory included.
    public package(set) var accepted = 0
    /// How many outgoing connections were made.
    public package(set) var connected = 0
    /// How many connections the factory refused, or failed to make a protocol for.
    public package(set) var refused = 0
    /// How many waiting peers were turned away because the process had no descriptor left.
    public package(set) var turnedAway = 0
    /// How many connections have a protocol now: it was told that it is connected, and not yet that it is lost.
    public package(set) var open = 0
    /// How many bytes were handed to protocols.
    public package(set) var bytesReceived = 0
    /// How many bytes the system took.
    public package(set) var bytesSent = 0
    /// How many bytes wait in this process because the system would not take them yet.
    public package(set) var unsentBytes = 0
    /// How many producers are paused because too many bytes wait.
    public package(set) var pausedProducers = 0

    // By the kind of the reason; memory is taken with the first end.
    private var closedByKind: [Int] = []

    package init() {}

    /// How many connections have ended.
    public var closed: Int { closedByKind.reduce(0, +) }

    /// How many connections have ended for a reason of this kind.
    public func closed(_ reason: ConnectionLost) -> Int {
        closedByKind.isEmpty ? 0 : closedByKind[Int(reason.kind.rawValue)]
    }

    /// Counts a connection's end.
    package mutating func countClosed(_ reason: ConnectionLost) {
        if closedByKind.isEmpty { closedByKind = Array(repeating: 0, count: ConnectionLost.Kind.allCases.count) }
        closedByKind[Int(reason.kind.rawValue)] += 1
        open -= 1
    }

    /// Adds what was counted elsewhere.
    package mutating func add(_ other: ConnectionStatistics) {
        accepted += other.accepted
        connected += other.connected
        refused += other.refused
        turnedAway += other.turnedAway
        open += other.open
        bytesReceived += other.bytesReceived
        bytesSent += other.bytesSent
        unsentBytes += other.unsentBytes
        pausedProducers += other.pausedProducers
        if closedByKind.isEmpty {
            closedByKind = other.closedByKind
        } else {
            for (kind, count) in other.closedByKind.enumerated() { closedByKind[kind] += count }
        }
    }
}
