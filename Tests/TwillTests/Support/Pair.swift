@testable import Twill
@testable import TwillTesting

/// A server's and a client's recorder on one reactor, to be joined by a real connection. Unless told otherwise, the reactor
/// stops when both were told of its loss.
final class Pair {
    let server: Recorder
    let client: Recorder
    let port: any ListeningPort
    let connector: Connector
    let reactor: any Reactor

    init(
        _ reactor: any Reactor, on kind: StreamKind = .tcp, server: Recorder = Recorder(), client: Recorder = Recorder(),
        serverOptions: TransportOptions = TransportOptions(), clientOptions: TransportOptions = TransportOptions(),
        stopsReactor: Bool = true
    ) throws {
        self.reactor = reactor
        self.server = server
        self.client = client
        // Weak, because a protocol knows its factory: the pair keeps both.
        let factory = RecordingClientFactory { [weak client] _ in client }
        port = try kind.listen(reactor, factory: Factory { [weak server] _ in server }, options: serverOptions)
        connector = try kind.connect(reactor, to: port, factory: factory, options: clientOptions)
        factory.whenFailed = { _, reason in
            reactor.stop()
            throw reason
        }
        // The factory keeps the pair until the connection has ended.
        factory.whenLost = { [weak factory] _, _ in
            factory?.whenLost = nil
            // A reactor that stops needs nobody to stop it.
            if stopsReactor, self.client.reason != .reactorStopped { self.stopWhenBothAreLost() }
        }
    }

    private func stopWhenBothAreLost() {
        reactor.when {
            self.server.lossCount > 0 && self.client.lossCount > 0
        } then: {
            // A few turns more, in which a second loss would show.
            self.reactor.afterTurns(3) { self.reactor.stop() }
        }
    }
}
