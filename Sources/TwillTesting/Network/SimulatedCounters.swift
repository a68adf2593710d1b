import Twill

/// What the connections of one port count, or all outgoing ones of a reactor.
final class SimulatedCounters {
    private(set) var current = ConnectionStatistics()

    func count(_ change: (inout ConnectionStatistics) -> Void) {
        change(&current)
    }
}
