import Testing

@testable import Twill

@Suite("What a client's factory hears of its connection", .nothingLivesOn)
struct ClientLossTests {
    private struct Refusal: Error, Equatable {}

    /// What happened to a client, in order, and what was logged.
    private struct Outcome {
        var story: [String] = []
        var events: [FactoryEvent] = []
        var reason: ConnectionLost?
        var failure: ConnectError?
        var log = RecordedLog()
    }

    /// Connects to a server that closes at once, or to one that waits.
    private func outcome(
        serverCloses: Bool = true, factory: RecordingClientFactory, client: Recorder? = nil
    ) throws -> Outcome {
        var outcome = Outcome()
        let story = Shared<[String]>([])
        try withReactor(log: outcome.log) { reactor in
            let server = Factory { () -> Recorder in
                let server = Recorder()
                if serverCloses { server.whenMade = { $0.transport.loseConnection() } }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: server, interface: "127.0.0.1")
            client?.whenLost = { _, _ in story.value.append("protocol") }
            factory.whenLost = { _, _ in story.value.append("factory") }
            factory.whenStopped = {
                story.value.append("stop")
                reactor.afterTurns(3) { reactor.stop() }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: factory)
        }
        outcome.story = story.value
        outcome.events = factory.events
        outcome.reason = client?.reason
        outcome.failure = factory.failure
        return outcome
    }

    @Test func theProtocolHearsFirstThenTheFactoryThenItStops() throws {
        let client = Recorder()
        let outcome = try outcome(factory: RecordingClientFactory { [weak client] _ in client }, client: client)
        #expect(outcome.story == ["protocol", "factory", "stop"])
        #expect(outcome.events == [.start, .startedConnecting, .lost(.done), .stop])
        #expect(client.events == [.made, .lost(.done)])
    }

    @Test func aFactoryThatBuildsNoProtocolClosesTheConnection() throws {
        let outcome = try outcome(serverCloses: false, factory: RecordingClientFactory { (_: Address) in nil })
        #expect(outcome.events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    @Test func aFactoryThatThrowsFailsTheAttempt() throws {
        let outcome = try outcome(serverCloses: false, factory: RecordingClientFactory { () throws -> Twill::Protocol in throw Refusal() })
        #expect(outcome.events == [.start, .startedConnecting, .failed(.failed), .stop])
        #expect(outcome.failure?.underlying as? Refusal == Refusal())
    }

    @Test func aProtocolThatThrowsWhenItIsMadeIsLostWithItsError() throws {
        let client = Recorder()
        client.whenMade = { _ in throw Refusal() }
        let outcome = try outcome(serverCloses: false, factory: RecordingClientFactory { [weak client] _ in client }, client: client)
        #expect(outcome.events == [.start, .startedConnecting, .lost(.failed), .stop])
        #expect(outcome.reason == .failed)
        #expect(outcome.reason?.underlying as? Refusal == Refusal())
        #expect(outcome.log.count(containing: "connectionMade threw: Refusal()") == 1)
    }

    @Test func aConnectorDisconnectsItsConnection() throws {
        let client = Recorder()
        let factory = RecordingClientFactory { [weak client] _ in client }
        let connectors = Shared(0)
        factory.whenStarted = { [unowned client] connector in
            client.whenMade = { _ in
                #expect(connector.state == .connected)
                #expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
                #expect(throws: ConnectorError.notDisconnected) { try connector.connect() }
                connectors.value += 1
                connector.disconnect()
            }
        }
        let outcome = try outcome(serverCloses: false, factory: factory, client: client)
        #expect(connectors.value == 1)
        #expect(outcome.events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    @Test func oneFactoryMayServeSeveralConnectors() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            let server = Factory { () -> Recorder in
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: server, interface: "127.0.0.1")
            factory.whenStopped = { reactor.stop() }
            for _ in 0..<5 { try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: factory) }
        }
        #expect(factory.events.count { $0 == .start } == 1)
        #expect(factory.events.count { $0 == .stop } == 1)
        #expect(factory.events.count { $0 == .lost(.done) } == 5)
        #expect(factory.events.last == .stop)
    }
}
