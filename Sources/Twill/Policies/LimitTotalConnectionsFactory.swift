/// Limits how many connections of a factory are open at once. Those that are too many are refused, or hear why.
///
/// ```swift
/// final class Busy: Protocol {
///     override func connectionMade() {
///         transport.write("busy, come back later\r\n")
///         transport.loseConnection()
///     }
/// }
/// let factory = LimitTotalConnectionsFactory(wrapping: Factory { Shout() }, connectionsMax: 1000) { Busy() }
/// ```
///
/// To leave those that are too many waiting, give the port a limit instead: `listenTCP(…, connectionsMax:)`.
///
/// Twisted: `LimitTotalConnectionsFactory`, whose `overflowProtocol` takes the place of a connection too.
public final class LimitTotalConnectionsFactory: WrappingFactory {
    private let seats: ConnectionSeats
    private let overflow: (() throws -> Protocol)?

    /// Limits the connections of a factory.
    ///
    /// - Parameters:
    ///   - wrapped: the factory.
    ///   - connectionsMax: how many may be open at once.
    ///   - overflow: makes the protocol of a connection that is too many, which should say so and close. Those do not count as connections.
    ///     nil refuses them.
    public init(wrapping wrapped: Factory, connectionsMax: Int, overflow: (() throws -> Protocol)? = nil) {
        seats = ConnectionSeats(max: connectionsMax)
        self.overflow = overflow
        super.init(wrapping: wrapped)
    }

    /// How many connections may be open at once.
    public var connectionsMax: Int { seats.max }

    /// How many are open, those of the overflow not counted.
    public var connectionCount: Int { seats.takenCount }

    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        guard let seat = seats.take() else { return try overflow?() }
        return try wrapped.protocolForConnection(from: address).map { SeatedProtocol(wrapping: $0, seat: seat) }
    }
}
