import Twill

/// Sends messages at a given rate, whether replies come or not: an open loop.
///
/// Each message has a moment at which it is meant to be sent, and its latency counts from there, even where the connection had no room for it then. A
/// server that stands still for a second is charged with the waiting of all who would have come in that second; a closed loop would ask it nothing
/// meanwhile, and never notice (coordinated omission).
final class LoadPacer {
    private let reactor: any Reactor
    private let perSecond: Double
    private let connections: [LoadConnection]
    private var start: Int64 = 0
    private var sent = 0
    private var isOver = false

    /// - Parameter connections: those that are good; they take turns.
    init(perSecond: Double, over connections: [LoadConnection], on reactor: any Reactor) {
        self.perSecond = perSecond
        self.connections = connections
        self.reactor = reactor
    }

    func begin() {
        start = reactor.now.nanoseconds
        sendDue()
    }

    func end() { isOver = true }

    private func sendDue() {
        guard !isOver else { return }
        let elapsed = Double(reactor.now.nanoseconds - start) / 1_000_000_000
        let due = Int(elapsed * perSecond)
        while sent <= due {
            let intended = start + Int64(Double(sent) / perSecond * 1_000_000_000)
            connections[sent % connections.count].offer(intendedAt: intended)
            sent += 1
        }
        // On the next turn, without sleeping: a system's sleep is a millisecond or two longer than was asked for, which would be taken for latency.
        reactor.callLater(.zero) { self.sendDue() }
    }
}
