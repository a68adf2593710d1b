import Logging

/// An outgoing connection of a ``ClientFactory``: connecting, cancelling, closing, and connecting again.
///
/// A small state machine between the factory, which hears what happens, and a reactor, which dials. It knows nothing of sockets.
///
/// | state          | `connect()`  | `stopConnecting()` | `disconnect()`     | dialled              | failed               | lost           |
/// |----------------|--------------|--------------------|--------------------|----------------------|----------------------|----------------|
/// | `disconnected` | `connecting` | error              | nothing            | -                    | -                    | -              |
/// | `connecting`   | error        | cancels the attempt| `stopConnecting()` | `connected`          | `disconnected`       | -              |
/// | `connected`    | error        | error              | `loseConnection()` | -                    | -                    | `disconnected` |
///
/// Twisted: `IConnector`.
public final class Connector {
    /// Where the connection stands.
    public enum State: Sendable {
        /// Nothing is under way.
        case disconnected
        /// A name is being resolved or a socket is connecting.
        case connecting
        /// A protocol is connected.
        case connected
    }

    /// Where it connects to, as it was asked for: `example.com:80`. Twisted: `getDestination`.
    public let destination: String

    /// The reactor that connects. Twisted: `IConnector.reactor`.
    public let reactor: any Reactor

    /// Where the connection stands.
    public private(set) var state = State.disconnected

    private let factory: ClientFactory
    private let dial: (Connector) -> () -> Void
    private var cancelDialling: (() -> Void)?
    private weak var transport: Transport?
    private var usesFactory = false

    /// Makes a connector that is not connecting yet.
    ///
    /// `dial` starts one attempt and returns what cancels it. It reports by ``buildProtocol(_:)`` and ``connectionLost(_:)``, or by
    /// ``connectionFailed(_:)``, on a later turn.
    package init(reactor: any Reactor, destination: String, factory: ClientFactory, dial: @escaping (Connector) -> () -> Void) {
        self.reactor = reactor
        self.destination = destination
        self.factory = factory
        self.dial = dial
    }

    /// Starts an attempt to connect; also from inside the factory's `clientConnectionFailed` and `clientConnectionLost`.
    ///
    /// - Throws: ``ConnectorError/notDisconnected`` while an attempt or a connection is alive; what `startFactory` threw.
    public func connect() throws {
        guard state == .disconnected else { throw ConnectorError.notDisconnected }
        if !usesFactory {
            try factory.doStart(logger: reactor.logger)
            usesFactory = true
        }
        state = .connecting
        var wasStopped = false
        cancelDialling = { wasStopped = true }
        report("startedConnecting") { try factory.startedConnecting(self) }
        if wasStopped {
            reactor.callLater(.zero) { self.connectionFailed(.cancelled.to(self.destination)) }
        } else {
            cancelDialling = dial(self)
        }
    }

    /// Gives up the attempt under way; `clientConnectionFailed` follows with ``ConnectError/cancelled``.
    ///
    /// - Throws: ``ConnectorError/notConnecting`` where there is none, or it was given up already.
    public func stopConnecting() throws {
        guard state == .connecting, let cancel = cancelDialling else { throw ConnectorError.notConnecting }
        cancelDialling = nil
        cancel()
    }

    /// Ends whatever is under way: an attempt is given up, a connection is closed after its output is sent.
    public func disconnect() {
        switch state {
        case .disconnected: break
        case .connecting: try? stopConnecting()
        case .connected: transport?.loseConnection()
        }
    }

    /// The protocol for the connection that was just made; nil where the factory refuses it.
    package func buildProtocol(_ address: Address, transport: Transport) throws -> Protocol? {
        cancelDialling = nil
        state = .connected
        self.transport = transport
        return try factory.protocolForConnection(from: address)
    }

    /// Takes the transport of a layer in the place of the one below it: closing goes through the layer then.
    package func use(_ layer: Transport) {
        transport = layer
    }

    /// The protocol was told that it is connected, or there is none.
    package func connectionMade() {
        report("connectionMade") { try factory.connectionMade(self) }
    }

    /// The attempt ended without a connection.
    package func connectionFailed(_ reason: ConnectError) {
        end()
        report("clientConnectionFailed") { try factory.clientConnectionFailed(self, reason) }
        letFactoryGo()
    }

    /// The connection ended; its protocol has been told.
    package func connectionLost(_ reason: ConnectionLost) {
        end()
        report("clientConnectionLost") { try factory.clientConnectionLost(self, reason) }
        letFactoryGo()
    }

    private func end() {
        state = .disconnected
        cancelDialling = nil
        transport = nil
    }

    /// Lets the factory go, unless it has asked for another attempt meanwhile.
    private func letFactoryGo() {
        guard state == .disconnected, usesFactory else { return }
        usesFactory = false
        report("stopFactory") { try factory.doStop(logger: reactor.logger) }
    }

    private func report(_ callback: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            reactor.logger.error("\(factory.logPrefix).\(callback) threw: \(error)", metadata: ["destination": "\(destination)"])
        }
    }
}

/// A call that does not fit the state of a ``Connector``.
public enum ConnectorError: Error, CustomStringConvertible, Sendable {
    /// `connect()` was called while an attempt or a connection is alive.
    case notDisconnected
    /// `stopConnecting()` was called with no attempt under way. Twisted: `NotConnectingError`.
    case notConnecting

    public var description: String {
        switch self {
        case .notDisconnected: "the connector is connecting or connected already: call disconnect() and wait for the factory to be told"
        case .notConnecting: "the connector is not connecting: there is no attempt to stop"
        }
    }
}
