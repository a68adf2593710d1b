import Logging

/// This process's standard input and output: a server of the one connection that a process is born with.
///
/// ```swift
/// try serverFromString("stdio:").listen(Factory { Echo() }, on: reactor)
/// ```
///
/// Listening serves the connection at once: the factory is asked for its protocol, and `connectionMade` is called, before
/// ``listen(_:on:)`` returns. Where the factory refuses, the two are left as they are. It works once in the life of a process. The port closes with
/// ``ListeningPort/stopListening()`` or the reactor's end; the connection goes on until one of the two ends it, as any other.
///
/// Twisted: `StandardIOEndpoint`.
public struct StandardIOEndpoint: StreamServerEndpoint {
    /// What the connection gets.
    public var options: TransportOptions

    /// An endpoint for this process's standard input and output.
    public init(options: TransportOptions = TransportOptions()) {
        self.options = options
    }

    /// Serves the connection.
    ///
    /// - Throws: ``ListenError/alreadyServed`` for the second time; what the factory threw; ``SystemError`` where the process was started
    ///   without standard input or output.
    @discardableResult
    public func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort {
        let port = try StandardIOPort(factory, on: reactor)
        try port.serve(options)
        return port
    }

    public var description: String { "stdio:" }
}

/// The port of the one connection: open from its beginning until somebody closes it.
final class StandardIOPort: ListeningPort {
    private let reactor: any Reactor
    private var factory: Factory?
    private var trigger: SystemEventTrigger?
    private(set) var statistics = ConnectionStatistics()
    private(set) var isPaused = false
    private(set) var isListening = true
    /// There is one connection, whatever is set.
    var connectionsMax: Int? = 1

    init(_ factory: Factory, on reactor: any Reactor) throws {
        try factory.doStart(logger: reactor.logger)
        self.factory = factory
        self.reactor = reactor
        // The factory stops after the last connection was told that the reactor has.
        trigger = reactor.addSystemEventTrigger(.after, .shutdown) { self.finish() }
    }

    var address: Address { .pipe(PipeBinding.standardIO.name) }

    func serve(_ options: TransportOptions) throws {
        statistics.accepted = 1
        do {
            guard let handler = try factory?.protocolForConnection(from: address) else { return statistics.refused = 1 }
            try reactor.serveStandardIO(with: handler, options: options)
        } catch {
            finish()
            throw error
        }
    }

    // There is nobody else to accept.
    func pauseAccepting() { isPaused = true }

    func resumeAccepting() { isPaused = false }

    func stopListening() {
        guard isListening else { return }
        isListening = false
        reactor.callLater(.zero) { self.finish() }
    }

    private func finish() {
        isListening = false
        if let trigger { reactor.removeSystemEventTrigger(trigger) }
        trigger = nil
        guard let stopped = factory else { return }
        factory = nil
        do {
            try stopped.doStop(logger: reactor.logger)
        } catch {
            reactor.logger.error("\(stopped.logPrefix).stopFactory threw: \(error)")
        }
    }
}
