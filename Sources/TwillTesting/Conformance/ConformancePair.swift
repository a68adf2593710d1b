import Twill

/// A server's and a client's recorder on one reactor, to be joined by a connection. Unless told otherwise, the reactor stops when both were told of
/// its loss.
final class ConformancePair {
    let server: Recorder
    let client: Recorder
    let port: any ListeningPort
    let connector: Connector
    let reactor: any Reactor

    init(
        _ reactor: any Reactor, on stage: ConformanceStage, server: Recorder = Recorder(), client: Recorder = Recorder(),
        serverOptions: TransportOptions = TransportOptions(), clientOptions: TransportOptions = TransportOptions(),
        stopsReactor: Bool = true
    ) throws {
        self.reactor = reactor
        self.server = server
        self.client = client
        // Weak, because a protocol knows its factory: the pair keeps both.
        let factory = RecordingClientFactory { [weak client] _ in client }
        port = try stage.listen(reactor, factory: Factory { [weak server] _ in server }, options: serverOptions)
        connector = try stage.connect(reactor, to: port, factory: factory, options: clientOptions)
        factory.whenFailed = { _, reason in
            stage.fail("the connection could not be made: \(reason)")
            reactor.stop()
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

extension Reactor {
    /// Makes a call after so many turns of the loop.
    package func afterTurns(_ count: Int, _ call: @escaping () throws -> Void) {
        callLater(.zero) { [unowned self] in
            if count <= 1 { try call() } else { afterTurns(count - 1, call) }
        }
    }

    /// Makes a call as soon as something holds; it is looked at once a millisecond.
    package func when(_ holds: @escaping () -> Bool, then call: @escaping () throws -> Void) {
        callLater(.milliseconds(1)) { [unowned self] in
            if holds() { try call() } else { when(holds, then: call) }
        }
    }

    /// Makes a call on each turn, for as long as the reactor runs.
    package func everyTurn(_ call: @escaping () -> Void) {
        callLater(.zero) { [unowned self] in
            call()
            everyTurn(call)
        }
    }
}
