import Testing

@testable import Twill

/// A kind of stream connection, and of the reactor that it lives on: every case of the conformance suite holds for each of them.
///
/// To bring another kind, add a case and say how it is made, listened for and connected to. The suite asks nothing else of a kind: both ends of
/// its connections are Twill's own.
enum StreamKind: CaseIterable, CustomTestStringConvertible, Sendable {
    /// TCP, with the best that the system has to wait for it: epoll or kqueue.
    case tcp
    case tcpOnPoll
    case tcpOnSelect
    /// TCP through the wrapper that policies put around a transport.
    case wrapped
    case unix

    var testDescription: String {
        switch self {
        case .tcp: "TCP"
        case .tcpOnPoll: "TCP on poll"
        case .tcpOnSelect: "TCP on select"
        case .wrapped: "TCP in a wrapper"
        case .unix: "UNIX"
        }
    }

    /// Those that are dialled by a host's name and a port's number.
    static var onTCP: [StreamKind] { [.tcp, .tcpOnPoll, .tcpOnSelect, .wrapped] }

    /// Whether an abort reaches the peer as a reset. UNIX sockets have none, unless something was left unread: the peer sees an orderly end.
    var resets: Bool { self != .unix }

    /// What a peer hears of an abort.
    var lossByAbort: ConnectionLost { resets ? .lost : .done }

    private var backend: LibeventReactor.Backend {
        switch self {
        case .tcp, .wrapped, .unix: .best
        case .tcpOnPoll: .poll
        case .tcpOnSelect: .select
        }
    }

    /// A new reactor.
    func makeReactor(log: RecordedLog) throws -> any Reactor {
        try LibeventReactor(logger: log.logger, backend: backend)
    }

    /// Listens where nobody else does.
    func listen(_ reactor: any Reactor, factory: Factory, options: TransportOptions = TransportOptions()) throws -> any ListeningPort {
        if self == .unix {
            return try reactor.listenUNIX(path: temporarySocketPath(), factory: factory, options: options)
        }
        return try reactor.listenTCP(port: 0, factory: policy(factory) ?? factory, interface: "127.0.0.1", options: options)
    }

    /// Connects to a port that ``listen(_:factory:options:)`` returned; it may have closed meanwhile.
    func connect(
        _ reactor: any Reactor, to port: any ListeningPort, factory: ClientFactory, options: TransportOptions = TransportOptions()
    ) throws -> Connector {
        if self == .unix { return try reactor.connectUNIX(path: port.address.host, factory: factory, options: options) }
        return try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: policy(factory) ?? factory, options: options)
    }

    /// A policy around a factory that sees everything and changes nothing.
    private func policy(_ factory: Factory) -> ClientFactory? {
        self == .wrapped ? TimeoutFactory(wrapping: factory, timeout: .seconds(3600)) : nil
    }
}
