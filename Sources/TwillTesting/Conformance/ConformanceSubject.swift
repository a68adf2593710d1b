import Foundation
public import Logging
public import Twill

/// The reactor that the conformance cases are run on, and the kind of connection.
///
/// ```swift
/// let subject = ConformanceSubject(.unix) { try MyReactor(logger: $0) }
/// ```
public struct ConformanceSubject: Sendable {
    /// A kind of stream connection.
    public enum Stream: Sendable, CaseIterable {
        /// TCP on 127.0.0.1, on free ports.
        case tcp
        /// UNIX sockets below `/tmp`.
        case unix
    }

    typealias Needs = ConformanceCase.Needs

    let makeReactor: @Sendable (Logger) throws -> any Reactor
    let listen: @Sendable (any Reactor, Factory, TransportOptions) throws -> any ListeningPort
    let connect: @Sendable (any Reactor, any ListeningPort, ClientFactory, TransportOptions) throws -> Connector
    let abilities: Needs
    /// How many bytes a client sends before its protocol's first.
    package var headerByteCount = 0
    /// How many bytes the system takes at least for a peer that does not read.
    package var unreadBytesMin: Int
    /// The processor time that this thread has used; nil where it is not known, and a loop that spins is not found.
    package var threadProcessorTime: (@Sendable () -> Duration)?
    /// What is wrong with a reactor that has stopped, where something is that its statistics don't show.
    package var leftover: @Sendable (any Reactor) -> String? = { _ in nil }

    /// Describes a reactor and a kind of its connections.
    ///
    /// - Parameter makeReactor: makes a new reactor, which logs there; called once for each case, on the thread that runs it.
    public init(_ stream: Stream, makeReactor: @escaping @Sendable (Logger) throws -> any Reactor) {
        switch stream {
        case .tcp:
            self.init(
                abilities: [.dialling, .names, .firstByte, .resets], makeReactor: makeReactor,
                listen: { try $0.listenTCP(port: 0, factory: $1, interface: "127.0.0.1", options: $2) },
                connect: { try $0.connectTCP(host: "127.0.0.1", port: Int($1.address.port ?? 0), factory: $2, options: $3) })
        case .unix:
            self.init(
                abilities: [.dialling, .firstByte], makeReactor: makeReactor,
                listen: { try $0.listenUNIX(path: "/tmp/twill-\(UUID().uuidString).sock", factory: $1, options: $2) },
                connect: { try $0.connectUNIX(path: $1.address.host, factory: $2, options: $3) })
            unreadBytesMin = 150_000
        }
    }

    /// Describes connections that are made in another way.
    package init(
        abilities: ConformanceCase.Needs, makeReactor: @escaping @Sendable (Logger) throws -> any Reactor,
        listen: @escaping @Sendable (any Reactor, Factory, TransportOptions) throws -> any ListeningPort,
        connect: @escaping @Sendable (any Reactor, any ListeningPort, ClientFactory, TransportOptions) throws -> Connector
    ) {
        self.abilities = abilities
        self.makeReactor = makeReactor
        self.listen = listen
        self.connect = connect
        unreadBytesMin = 300_000
    }
}
