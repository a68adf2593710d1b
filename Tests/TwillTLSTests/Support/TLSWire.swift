@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// A server's and a client's end of one connection without a network: what one writes reaches the other when the test says so.
final class TLSWire {
    let serverEnd: StringTransport
    let clientEnd: StringTransport
    private let reactor: SimulatedReactor

    init(_ reactor: SimulatedReactor, server: Twill::Protocol, client: Twill::Protocol) throws {
        self.reactor = reactor
        (serverEnd, clientEnd) = (StringTransport(reactor: reactor), StringTransport(reactor: reactor))
        try serverEnd.connect(server)
        try clientEnd.connect(client)
    }

    /// Two protocols that speak TLS from the first byte.
    convenience init(
        _ reactor: SimulatedReactor, server: Twill::Protocol, client: Twill::Protocol, serverContext: TLSServerContext,
        clientContext: TLSClientContext
    ) throws {
        let serverFactory = TLSServerFactory(wrapping: Factory { [unowned server] _ in server }, context: serverContext)
        let clientFactory = TLSClientFactory(
            wrapping: Factory { [unowned client] _ in client }, context: clientContext, serverName: "localhost")
        guard let serverSide = try serverFactory.protocolForConnection(from: .unknown),
            let clientSide = try clientFactory.protocolForConnection(from: .unknown)
        else { throw TLSUsageError.notConnected }
        try self.init(reactor, server: serverSide, client: clientSide)
    }

    /// What the server has written since it was last taken.
    func takeFromServer() throws -> [UInt8] {
        try reactor.run(for: .milliseconds(1))
        defer { serverEnd.clear() }
        return serverEnd.bytes
    }

    /// What the client has written since it was last taken.
    func takeFromClient() throws -> [UInt8] {
        try reactor.run(for: .milliseconds(1))
        defer { clientEnd.clear() }
        return clientEnd.bytes
    }

    /// Carries what was written, in both directions, until nobody has anything to say.
    func carry() throws {
        while true {
            let (toServer, toClient) = (try takeFromClient(), try takeFromServer())
            if toServer.isEmpty, toClient.isEmpty { return }
            if serverEnd.state == .connected { try serverEnd.receive(toServer) }
            if clientEnd.state == .connected { try clientEnd.receive(toClient) }
        }
    }

    /// Carries what was written, and ends the connection.
    func finish() throws {
        try carry()
        if serverEnd.state != .disconnected { serverEnd.lose() }
        if clientEnd.state != .disconnected { clientEnd.lose() }
    }
}
