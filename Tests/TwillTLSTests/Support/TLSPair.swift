import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// A server's and a client's recorder joined by TLS over TCP, on one reactor, until both were told of the loss or the handshake has failed on both
/// sides.
final class TLSPair {
    let server: Recorder
    let client: Recorder
    /// How the handshake failed on the server's side.
    private(set) var serverError: TLSError?
    /// How the client's attempt failed.
    private(set) var failure: ConnectError?
    let log = RecordedLog()
    private(set) var serverFactory: TLSServerFactory?

    /// The client's error of TLS.
    var clientError: TLSError? { failure?.underlying as? TLSError }

    @discardableResult
    init(
        server: Recorder = Recorder(), client: Recorder = Recorder(), serverContext: TLSServerContext? = nil,
        clientContext: TLSClientContext? = nil,
        serverName: String = "localhost", serverOptions: TransportOptions = TransportOptions(),
        clientOptions: TransportOptions = TransportOptions(),
        sourceLocation: SourceLocation = #_sourceLocation, _ arrange: (LibeventReactor) throws -> Void = { _ in }
    ) throws {
        self.server = server
        self.client = client
        let serverContext = try serverContext ?? .test()
        let clientContext = try clientContext ?? .test()
        try withReactor(log: log, sourceLocation: sourceLocation) { reactor in
            let factory = TLSServerFactory(wrapping: Factory { [weak server] _ in server }, context: serverContext)
            factory.whenHandshakeFailed = { [weak self] _, error in self?.serverError = error }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1", options: serverOptions)
            let ends = EndWatch { [weak client] _ in client }
            ends.whenFailed = { [weak self] in self?.failure = $0 }
            let wrapped = TLSClientFactory(wrapping: ends, context: clientContext, serverName: serverName)
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: wrapped, options: clientOptions)
            try arrange(reactor)
            // A protocol knows its transport, and that its reactor.
            reactor.when { [unowned reactor, weak server] in
                ends.hasEnded && (server?.lossCount != 0 || factory.failedCount > 0) && reactor.statistics.connections.open == 0
            } then: { [unowned reactor] in
                reactor.stop()
            }
            serverFactory = factory
        }
    }
}

/// Hears of the end of a connection, or that none was made.
private final class EndWatch: ClientFactory {
    private(set) var hasEnded = false
    var whenFailed: ((ConnectError) -> Void)?

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        whenFailed?(reason)
        hasEnded = true
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) { hasEnded = true }
}
