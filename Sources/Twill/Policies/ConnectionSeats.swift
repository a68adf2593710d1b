/// How many connections may be open at once, and how many are.
final class ConnectionSeats {
    let max: Int
    private(set) var takenCount = 0

    init(max: Int) {
        self.max = max
    }

    /// Takes a seat for one connection; nil where there is none.
    func take() -> Seat? {
        guard takenCount < max else { return nil }
        takenCount += 1
        return Seat { [self] in takenCount -= 1 }
    }
}

/// A connection's place among those that may be open. It is given back by being let go, and so also where a connection never came about.
final class Seat {
    private let giveBack: () -> Void

    init(giveBack: @escaping () -> Void) {
        self.giveBack = giveBack
    }

    deinit {
        giveBack()
    }
}

/// A policy that does no more than to hold a seat until the connection is lost.
class SeatedProtocol: ProtocolWrapper {
    private final var seat: Seat?

    init(wrapping wrapped: Protocol, seat: Seat?) {
        self.seat = seat
        super.init(wrapping: wrapped)
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        seat = nil
        try super.connectionLost(reason)
    }
}
