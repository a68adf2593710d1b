@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A place to connect to where the two ends of each connection are joined by two pipes.
final class PipePort: ListeningPort {
    private let reactor: any Reactor
    private let factory: Factory
    private let options: TransportOptions
    private(set) var isListening = true
    private(set) var isPaused = false
    var connectionsMax: Int?
    let address = Address.pipe("a pair of pipes")
    /// Those who wait because nobody is accepted.
    private var waiting: [() -> Void] = []

    init(_ reactor: any Reactor, factory: Factory, options: TransportOptions) throws {
        self.reactor = reactor
        self.factory = factory
        self.options = options
        try factory.doStart(logger: reactor.logger)
    }

    var statistics: ConnectionStatistics { ConnectionStatistics() }

    func pauseAccepting() { isPaused = true }

    func resumeAccepting() {
        isPaused = false
        defer { waiting = [] }
        for connect in waiting { connect() }
    }

    func stopListening() {
        guard isListening else { return }
        isListening = false
        reactor.callLater(.zero) { [factory] in try factory.doStop() }
    }

    /// Connects a client.
    func connect(_ factory: ClientFactory, options: TransportOptions) throws -> Connector {
        let connector = Connector(reactor: reactor, destination: "a pair of pipes", factory: factory) { connector in
            let call = self.reactor.callLater(.zero) { self.dial(connector, options) }
            return {
                call.cancelIfActive()
                self.reactor.callLater(.zero) { connector.connectionFailed(.cancelled.to("a pair of pipes")) }
            }
        }
        try connector.connect()
        return connector
    }

    private func dial(_ connector: Connector, _ options: TransportOptions) {
        guard isListening else { return connector.connectionFailed(.refused.to("a pair of pipes")) }
        do {
            let (there, back) = (try DescriptorPipe(), try DescriptorPipe())
            try reactor.adoptStreamConnection(
                over: PipeBinding(input: back.reading, output: there.writing, options: options, drainsInput: true),
                protocol: Dialled(by: connector))
            guard let served = try factory.protocolForConnection(from: address) else {
                return [there.reading, back.writing].forEach(systemClose)
            }
            try reactor.adoptStreamConnection(
                over: PipeBinding(input: there.reading, output: back.writing, options: self.options, drainsInput: true), protocol: served)
        } catch {
            reactor.logger.error("connecting pipes: \(error)")
        }
    }
}

/// Asks a connector's factory for the protocol, and tells the connector of the end.
private final class Dialled: ProtocolWrapper {
    private let connector: Connector

    init(by connector: Connector) {
        self.connector = connector
        super.init(wrapping: Twill::Protocol())
    }

    override func connectionMade() throws {
        guard let made = try connector.buildProtocol(transport.peer, transport: transport) else { return transport.loseConnection() }
        become(made)
        try super.connectionMade()
        connector.connectionMade()
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        defer { connector.connectionLost(reason) }
        try super.connectionLost(reason)
    }
}
