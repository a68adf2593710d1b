import Logging
public import Twill

/// A port and the connections that it serves.
///
/// ```swift
/// let chat = StreamServerEndpointService(try serverFromString("tcp:8007"), factory: Chat())
/// try services.add(chat)
/// ```
///
/// # Contract
/// - The port is bound by `privilegedStartService`, and an error of that is thrown. Nobody is accepted before `startService`: those who come
///   earlier wait. In an ``Application`` they wait until all services of all reactors have started, so that nobody is served by a program that does
///   not come up.
/// - A drain accepts those who wait at the port already and closes it, and then each connection: at once where its protocol is not ``/Twill/Protocol/isBusy``, else as soon as it is so no more. A connection
///   that was made less than a second ago, and whose peer has said nothing yet, is given that second. What is left at the deadline is aborted. The log tells how far it has come.
/// - Reloading reads the files of the endpoint anew, certificates and keys; connections that are there stay as they are.
/// - Stopping does the same within ``drainTimeout``, unless there was a drain before.
/// - It may be started again.
///
/// Twisted: `StreamServerEndpointService`, which leaves its connections alone, logs what it can't bind, and starts once.
open class StreamServerEndpointService: Service {
    /// Where it listens.
    public final let endpoint: any StreamServerEndpoint

    /// How long stopping waits for connections that are busy; ten seconds unless set.
    public final var drainTimeout = Duration.seconds(10)

    /// How many connections may be open at once; others wait until one has ended. nil leaves it to the endpoint.
    public final var connectionsMax: Int? {
        didSet { if let connectionsMax { port?.connectionsMax = connectionsMax } }
    }

    /// The port, while it is bound.
    public final private(set) var port: (any ListeningPort)?

    private final let factory: ServedFactory

    /// Makes a service that serves each connection with a protocol of the factory.
    public init(_ endpoint: any StreamServerEndpoint, factory: Factory, name: String? = nil) {
        self.endpoint = endpoint
        self.factory = ServedFactory(wrapping: factory)
        super.init(name: name)
    }

    /// The same of an endpoint's description. Twisted: `strports.service`.
    ///
    /// - Throws: ``/Twill/EndpointError``.
    public convenience init(_ description: String, factory: Factory, name: String? = nil) throws(EndpointError) {
        self.init(try serverFromString(description), factory: factory, name: name)
    }

    open override var logPrefix: String { name ?? "\(endpoint)" }

    /// The factory that it was made with.
    final var servedFactory: Factory { factory.wrapped }

    /// Where it listens, with the port that was taken where any was asked for; nil where it is not bound.
    public final var address: Address? { port?.address }

    /// How many connections it serves.
    public final var connectionCount: Int { factory.connectionCount }

    /// Binds the port. An override calls `super`.
    open override func privilegedStartService() throws {
        let port = try listening { try endpoint.listen(factory, on: reactor) }
        port.pauseAccepting()
        if let connectionsMax { port.connectionsMax = connectionsMax }
        self.port = port
    }

    /// Whether nobody is served before all services of all reactors have started.
    var waitsForOthers: Bool { true }

    /// Accepts. An override calls `super`.
    open override func startService() throws {
        if waitsForOthers, let sockets {
            sockets.whenAllHaveStarted { [weak port] in port?.resumeAccepting() }
        } else {
            port?.resumeAccepting()
        }
        if let address { reactor.logger.info("\(logPrefix) listens on \(address)") }
    }

    /// Reads anew what the endpoint was made of, such as the files of a certificate: who connects from now on gets that. An override calls `super`.
    open override func reloadService() throws {
        try endpoint.reload()
    }

    open override func drainService(deadline: ReactorClock.Instant) throws -> Deferred<Void>? {
        if let port = port as? any FinishingPort { port.finishListening() } else { port?.stopListening() }
        return factory.drain(until: deadline, on: reactor, called: logPrefix)
    }

    /// Closes the port, and waits for the connections. An override calls `super`.
    open override func stopService() throws -> Deferred<Void>? {
        defer { port = nil }
        port?.stopListening()
        return factory.drain(until: reactor.now.advanced(by: drainTimeout), on: reactor, called: logPrefix)
    }
}

/// A TCP port and the connections that it serves.
///
/// ```swift
/// try services.add(TCPServer(port: 8007, factory: Factory { Echo() }))
/// ```
///
/// Twisted: `TCPServer`.
public final class TCPServer: StreamServerEndpointService {
    /// Makes a service that listens as `listenTCP` does with the same values.
    public init(
        port: Int, factory: Factory, interface: String = "", backlog: Int = 4096, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions(), name: String? = nil
    ) {
        let binding = TCPBinding(port: port, interface: interface, backlog: backlog, connectionsMax: connectionsMax, options: options)
        super.init(TCPServerEndpoint(binding), factory: factory, name: name)
    }
}

/// A UNIX socket and the connections that it serves.
///
/// Twisted: `UNIXServer`.
public final class UNIXServer: StreamServerEndpointService {
    /// Makes a service that listens as `listenUNIX` does with the same values.
    public init(
        path: String, factory: Factory, mode: UInt16 = 0o600, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions(), name: String? = nil
    ) {
        let binding = UNIXBinding(path: path, mode: mode, connectionsMax: connectionsMax, options: options)
        super.init(UNIXServerEndpoint(binding), factory: factory, name: name)
    }
}
