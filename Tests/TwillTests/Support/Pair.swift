@testable import Twill

/// A server's and a client's recorder on one reactor, to be joined by a real connection; the reactor stops when both were told of its loss.
final class Pair {
    let server = Recorder()
    let client = Recorder()
    let port: any ListeningPort
    let reactor: LibeventReactor
    private let clientFactory: RecordingClientFactory

    init(
        _ reactor: LibeventReactor, serverOptions: TransportOptions = TransportOptions(),
        clientOptions: TransportOptions = TransportOptions()
    ) throws {
        self.reactor = reactor
        let server = server
        let client = client
        // Weak, because a protocol knows its factory: the pair keeps both.
        clientFactory = RecordingClientFactory { [weak client] _ in client }
        port = try reactor.listenTCP(
            port: 0, factory: Factory { [weak server] _ in server }, interface: "127.0.0.1", options: serverOptions)
        clientFactory.whenFailed = { _, reason in
            reactor.stop()
            throw reason
        }
        // The factory keeps the pair until the connection has ended.
        clientFactory.whenLost = { _, _ in self.stopWhenBothAreLost() }
        try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: clientFactory, options: clientOptions)
    }

    private func stopWhenBothAreLost() {
        guard server.lossCount > 0, client.lossCount > 0 else {
            reactor.callLater(.milliseconds(1)) { self.stopWhenBothAreLost() }
            return
        }
        clientFactory.whenLost = nil
        // A few turns more, in which a second loss would show.
        reactor.afterTurns(3) { self.reactor.stop() }
    }
}

extension ListeningPort {
    /// The port's number, as calls that connect want it.
    var number: Int { Int(address.port ?? 0) }
}
