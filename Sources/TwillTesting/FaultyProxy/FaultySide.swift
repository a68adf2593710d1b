import Twill

/// One of the two connections of a relayed one: what happens to it is the relayed connection's business.
final class FaultySide: Protocol, HalfCloseableProtocol {
    private let connection: FaultyConnection
    /// Whether the peer has said that it will send no more.
    private(set) var inputHasEnded = false
    /// How many bytes came since nothing is relayed any more.
    var vanishedByteCount = 0

    init(_ connection: FaultyConnection) {
        self.connection = connection
        super.init()
    }

    override func connectionMade() throws { try connection.isConnected(self) }

    override func dataReceived(_ data: Span<UInt8>) { connection.received(data, from: self) }

    func readConnectionLost() {
        inputHasEnded = true
        connection.inputEnded(from: self)
    }

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) { connection.lost(self, reason) }
}

/// Makes a relayed connection's connection to the target.
final class FaultyOnwardFactory: ClientFactory {
    private let connection: FaultyConnection

    init(_ connection: FaultyConnection) {
        self.connection = connection
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? { connection.onward() }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { connection.connectingFailed(reason) }
}
