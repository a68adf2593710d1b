import Logging
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

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
    /// TCP with a PROXY header in front.
    case proxied
    /// Two pipes, one for each direction.
    case pipes
    /// TCP in virtual time.
    case simulated
    case simulatedUNIX

    var testDescription: String {
        switch self {
        case .tcp: "TCP"
        case .tcpOnPoll: "TCP on poll"
        case .tcpOnSelect: "TCP on select"
        case .wrapped: "TCP in a wrapper"
        case .unix: "UNIX"
        case .proxied: "TCP behind a proxy"
        case .pipes: "two pipes"
        case .simulated: "simulated TCP"
        case .simulatedUNIX: "simulated UNIX"
        }
    }

    /// Those that are dialled by a host's name and a port's number.
    static var onTCP: [StreamKind] { [.tcp, .tcpOnPoll, .tcpOnSelect, .wrapped, .proxied, .simulated] }

    /// Those of them that a raw socket of the test's can join.
    static var onTCPSockets: [StreamKind] { onTCP.filter { !$0.isSimulated } }

    /// Whether its time is virtual and it has no descriptors.
    var isSimulated: Bool { self == .simulated || self == .simulatedUNIX }

    /// Those that are listened for and connected to by the library; the ends of pipes are joined by a test's own port.
    static var dialled: [StreamKind] { allCases.filter { $0 != .pipes } }

    /// Those of them on which the first byte is the protocol's.
    static var dialledWithoutHeader: [StreamKind] { withoutHeader.filter { $0 != .pipes } }

    /// Those on which the server's factory is asked as soon as the connection is there, and the first byte is the protocol's.
    static var withoutHeader: [StreamKind] { allCases.filter { $0.headerByteCount == 0 } }

    /// How many bytes the client sends before the protocol's first.
    var headerByteCount: Int { self == .proxied ? Self.header.count : 0 }

    /// LOCAL, so that the addresses are those of the connection.
    fileprivate static let header = BinaryHeader(versionAndCommand: 0x20).encoded

    /// Whether an abort reaches the peer as a reset. UNIX sockets have none, unless something was left unread, and
    /// pipes have none at all: the peer sees an orderly end.
    var resets: Bool { !isUNIX && self != .pipes }

    private var isUNIX: Bool { self == .unix || self == .simulatedUNIX }

    /// What a peer hears of an abort.
    var lossByAbort: ConnectionLost { resets ? .lost : .done }

    /// A new reactor.
    func makeReactor(log: RecordedLog) throws -> any Reactor { try makeReactor(logger: log.logger) }

    private func makeReactor(logger: Logger) throws -> any Reactor {
        switch self {
        case .tcp, .wrapped, .unix, .proxied, .pipes: try LibeventReactor(logger: logger)
        case .tcpOnPoll: try LibeventReactor(logger: logger, backend: .poll)
        case .tcpOnSelect: try LibeventReactor(logger: logger, backend: .select)
        case .simulated, .simulatedUNIX: SimulatedReactor(logger: logger)
        }
    }

    /// Listens where nobody else does.
    func listen(_ reactor: any Reactor, factory: Factory, options: TransportOptions = TransportOptions()) throws -> any ListeningPort {
        if isUNIX {
            return try reactor.listenUNIX(path: temporarySocketPath(), factory: factory, options: options)
        }
        if self == .pipes { return try PipePort(reactor, factory: factory, options: options) }
        return try reactor.listenTCP(port: 0, factory: server(factory), interface: "127.0.0.1", options: options)
    }

    /// Connects to a port that ``listen(_:factory:options:)`` returned; it may have closed meanwhile.
    func connect(
        _ reactor: any Reactor, to port: any ListeningPort, factory: ClientFactory, options: TransportOptions = TransportOptions()
    ) throws -> Connector {
        if isUNIX { return try reactor.connectUNIX(path: port.address.host, factory: factory, options: options) }
        if let port = port as? PipePort { return try port.connect(factory, options: options) }
        return try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: client(factory), options: options)
    }

    /// What the exported cases are run on.
    var subject: ConformanceSubject {
        var abilities: ConformanceCase.Needs = []
        if StreamKind.dialled.contains(self) { abilities.insert(.dialling) }
        if StreamKind.onTCP.contains(self) { abilities.insert(.names) }
        if headerByteCount == 0 { abilities.insert(.firstByte) }
        if resets { abilities.insert(.resets) }
        var subject = ConformanceSubject(
            abilities: abilities, makeReactor: { try makeReactor(logger: $0) }, listen: { try listen($0, factory: $1, options: $2) },
            connect: { try connect($0, to: $1, factory: $2, options: $3) })
        subject.headerByteCount = headerByteCount
        if self == .unix { subject.unreadBytesMin = 150_000 }
        if self == .pipes { subject.unreadBytesMin = 60_000 }
        subject.threadProcessorTime = { threadProcessorTime() }
        subject.leftover = { ($0 as? LibeventReactor)?.openCount ?? 0 == 0 ? nil : "sockets are open when the reactor has stopped" }
        return subject
    }

    private func server(_ factory: Factory) throws -> Factory {
        switch self {
        case .tcp, .tcpOnPoll, .tcpOnSelect, .unix, .pipes, .simulated, .simulatedUNIX: factory
        case .wrapped: Self.policy(factory)
        case .proxied: try ProxyProtocolFactory(wrapping: factory, trusting: "127.0.0.1", headerTimeout: .seconds(3600))
        }
    }

    private func client(_ factory: ClientFactory) -> ClientFactory {
        switch self {
        case .tcp, .tcpOnPoll, .tcpOnSelect, .unix, .pipes, .simulated, .simulatedUNIX: factory
        case .wrapped: Self.policy(factory)
        case .proxied: AnnouncingFactory(wrapping: factory)
        }
    }

    /// A policy around a factory that sees everything and changes nothing.
    private static func policy(_ factory: Factory) -> ClientFactory {
        TimeoutFactory(wrapping: factory, timeout: .seconds(3600))
    }
}

/// Puts a PROXY header in front of what each client sends.
private final class AnnouncingFactory: WrappingFactory {
    private final class Announcing: ProtocolWrapper {
        override func connectionMade() throws {
            transport.write(StreamKind.header)
            try super.connectionMade()
        }
    }

    override func wrap(_ handler: Twill::Protocol) -> ProtocolWrapper { Announcing(wrapping: handler) }
}
