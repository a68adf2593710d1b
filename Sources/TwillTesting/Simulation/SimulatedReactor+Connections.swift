import Twill

/// The connections that a reactor keeps, and what they have put off.
extension SimulatedReactor {
    /// Takes a transport into the table.
    func keep(_ transport: SimulatedTransport) {
        transport.slot = freeSlots.popLast() ?? transports.count
        if transport.slot == transports.count { transports.append(transport) } else { transports[transport.slot] = transport }
    }

    /// Whether a transport's socket is open.
    func keeps(_ transport: SimulatedTransport) -> Bool { transport.slot >= 0 }

    /// Takes a transport out of the table; false where it is out already.
    func release(_ transport: SimulatedTransport) -> Bool {
        guard keeps(transport) else { return false }
        transports[transport.slot] = nil
        freeSlots.append(transport.slot)
        transport.slot = -1
        for port in ports { port.acceptLater() }
        return true
    }

    /// Comes back to a transport on the next turn.
    func visitLater(_ transport: SimulatedTransport) {
        guard !transport.willBeVisited else { return }
        transport.willBeVisited = true
        visits.append(transport)
        hasWork = true
    }

    /// Sends what a transport has been given when the callback ends.
    func flushLater(_ transport: SimulatedTransport) {
        staged.append(transport)
        // What is written between two runs has no callback that could end.
        hasWork = hasWork || !world.isLooping
    }

    /// A port number that nothing listens on.
    func takePortNumber() -> UInt16 {
        repeat {
            nextPortNumber = nextPortNumber == .max ? 49_152 : nextPortNumber + 1
        } while ports.contains { $0.address.port == nextPortNumber }
        return nextPortNumber
    }
}
