import Twill

/// Connecting, and what a client's factory hears.
enum ConnectingCases {
    static let all: [[ConformanceCase]] = [
        .of("a connection knows both of its ends", .dialling, bothEndsAreKnown),
        .of("K02: a refused connection is told to the factory, which then stops", .dialling, aRefusedConnection),
        .of("K03: stopping an attempt fails it on a later turn, and once only", .dialling, stoppingAnAttempt),
        .of("K03: an attempt may be stopped as soon as it has started", .dialling, stoppedAsSoonAsStarted),
        .of("K03: stopping the reactor cancels an attempt", .dialling, stoppingTheReactorCancelsAnAttempt),
        .of("K04: a name without an address is unknown", [.dialling, .names], aNameWithoutAnAddress),
        .of("K06: trying again inside a failure keeps the factory", .dialling, tryingAgainInsideAFailure),
        .of("K06: trying again inside a loss connects again, and keeps the factory", .dialling, tryingAgainInsideALoss),
        .of("K07: connecting while connecting or connected is an error", .dialling, connectingTwice),
        .of("K07: a connector disconnects its connection", .dialling, disconnecting),
        .of("T20: the protocol hears of the loss first, then the factory, then it stops", .dialling, theOrderOfTheLoss),
        .of("T08b: a client that throws when it is made is lost with its error, and so its factory is told", .dialling, aClientThatThrows),
        .of("T10b: a factory that builds no protocol closes the connection", [.dialling, .firstByte], aFactoryThatBuildsNoProtocol),
        .of("T10c: a factory that throws fails the attempt with its error", [.dialling, .firstByte], aFactoryThatThrows),
        .of("K15: one factory may serve several connectors", .dialling, severalConnectors),
        .of("what a client's factory throws is logged, and changes nothing", .dialling, whatAFactoryThrows),
    ]

    /// What a client's factory heard until it stopped.
    private static func events(
        of factory: RecordingClientFactory, on stage: ConformanceStage, log: RecordedLog = RecordedLog(), errors: Int = 0,
        _ connect: (any Reactor) throws -> Void
    ) throws -> [FactoryEvent] {
        try stage.withReactor(log: log, errors: errors) { reactor in
            factory.whenStopped = { [unowned reactor] in reactor.afterTurns(3) { reactor.stop() } }
            try connect(reactor)
        }
        stage.expect(factory.userCount == 0)
        stage.tell("factory", factory.events)
        // What a case hung there may hold the factory, and the reactor.
        (factory.whenStarted, factory.whenFailed, factory.whenLost, factory.whenStopped) = (nil, nil, nil, nil)
        return factory.events
    }

    /// A factory whose protocols close at once.
    private static func closingAtOnce() -> Factory {
        Factory { () -> Recorder in
            let server = Recorder()
            server.whenMade = { $0.transport.loseConnection() }
            return server
        }
    }

    /// A port that has closed.
    private static func closedPort(_ reactor: any Reactor, on stage: ConformanceStage) throws -> any ListeningPort {
        let port = try stage.listen(reactor, factory: Factory())
        port.stopListening()
        return port
    }

    static func bothEndsAreKnown(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = { server in
                stage.expect(server.transport.peer == pair.client.transport.host)
                stage.expect(server.transport.host == pair.client.transport.peer)
                stage.expect(server.transport.host == pair.port.address)
                stage.expect(server.transport.reactor === pair.reactor)
                stage.expect(server.transport.state == .connected)
                stage.expect(pair.connector.state == .connected)
                server.transport.loseConnection()
            }
        }
        stage.expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
        // It remembers its peer, though the socket is gone.
        stage.expect(pair.server.transport.peer != .unknown)
        stage.expect(pair.connector.state == .disconnected)
    }

    static func aRefusedConnection(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            let connector = try stage.connect(reactor, to: closedPort(reactor, on: stage), factory: factory)
            stage.expect(factory.events == [.start, .startedConnecting], "nothing is told from inside the call")
            stage.expect(connector.state == .connecting)
        }
        stage.expect(events == [.start, .startedConnecting, .failed(.refused), .stop])
        stage.expect(factory.failure?.description.contains("refused") == true)
    }

    static func stoppingAnAttempt(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            let connector = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
            try connector.stopConnecting()
            stage.expect(factory.failure == nil)
            stage.expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
        }
        stage.expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    static func stoppedAsSoonAsStarted(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        factory.whenStarted = { try $0.stopConnecting() }
        let events = try events(of: factory, on: stage) { reactor in
            let connector = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
            stage.expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
        }
        stage.expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    static func stoppingTheReactorCancelsAnAttempt(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            reactor.callWhenRunning {
                _ = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                // Connecting takes a turn at least, and there is none before the stop.
                reactor.stop()
            }
        }
        stage.expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    static func aNameWithoutAnAddress(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { try $0.connectTCP(host: "nonexistent.invalid", port: 80, factory: factory) }
        stage.expect(events == [.start, .startedConnecting, .failed(.unknownHost), .stop])
        stage.expect(factory.failure?.underlying is ResolveError)
        stage.expect(factory.failure?.description.contains("nonexistent.invalid:80") == true)
    }

    static func tryingAgainInsideAFailure(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            var attempts = 0
            factory.whenFailed = { connector, _ in
                attempts += 1
                if attempts < 3 { try connector.connect() }
            }
            _ = try stage.connect(reactor, to: closedPort(reactor, on: stage), factory: factory)
        }
        let attempt: [FactoryEvent] = [.startedConnecting, .failed(.refused)]
        stage.expect(events == [.start] + attempt + attempt + attempt + [.stop])
    }

    static func tryingAgainInsideALoss(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            let port = try stage.listen(reactor, factory: closingAtOnce())
            factory.whenLost = { connector, _ in
                if factory.events.count < 6 { try connector.connect() }
            }
            _ = try stage.connect(reactor, to: port, factory: factory)
        }
        let life: [FactoryEvent] = [.startedConnecting, .lost(.done)]
        stage.expect(events == [.start] + life + life + life + [.stop])
    }

    static func connectingTwice(on stage: ConformanceStage) throws {
        let client = Recorder()
        let factory = RecordingClientFactory { [weak client] _ in client }
        let events = try events(of: factory, on: stage) { reactor in
            let connector = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
            stage.expect(throws: ConnectorError.notDisconnected) { try connector.connect() }
            client.whenMade = { client in
                stage.expect(connector.state == .connected)
                stage.expect(throws: ConnectorError.notDisconnected) { try connector.connect() }
                stage.expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
                client.transport.loseConnection()
            }
        }
        stage.expect(client.events == [.made, .lost(.done)])
        stage.expect(events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    static func disconnecting(on stage: ConformanceStage) throws {
        let client = Recorder()
        let factory = RecordingClientFactory { [weak client] _ in client }
        let events = try events(of: factory, on: stage) { reactor in
            let connector = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
            client.whenMade = { client in
                client.transport.write("sent")
                connector.disconnect()
                connector.disconnect()
                stage.expect(client.events == [.made])
            }
        }
        stage.expect(client.events == [.made, .lost(.done)])
        stage.expect(events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    static func theOrderOfTheLoss(on stage: ConformanceStage) throws {
        var story: [String] = []
        let client = Recorder()
        client.whenLost = { _, _ in story.append("protocol") }
        let factory = RecordingClientFactory { [weak client] _ in client }
        factory.whenLost = { _, _ in story.append("factory") }
        let events = try events(of: factory, on: stage) { reactor in
            _ = try stage.connect(reactor, to: stage.listen(reactor, factory: closingAtOnce()), factory: factory)
            let stop = factory.whenStopped
            factory.whenStopped = {
                story.append("stop")
                stop?()
            }
        }
        stage.expect(story == ["protocol", "factory", "stop"])
        stage.expect(events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    static func aClientThatThrows(on stage: ConformanceStage) throws {
        var told: ConnectionLost?
        let client = Recorder()
        client.whenMade = { _ in throw Refusal() }
        let factory = RecordingClientFactory { [weak client] _ in client }
        factory.whenLost = { _, reason in told = reason }
        let events = try events(of: factory, on: stage, errors: 1) { reactor in
            _ = try stage.connect(reactor, to: stage.listen(reactor, factory: Factory { Recorder() }), factory: factory)
        }
        stage.expect(events == [.start, .startedConnecting, .lost(.failed), .stop])
        stage.expect(told?.underlying as? Refusal == Refusal())
    }

    static func aFactoryThatBuildsNoProtocol(on stage: ConformanceStage) throws {
        let server = Recorder()
        let factory = RecordingClientFactory { (_: Address) in nil }
        let events = try events(of: factory, on: stage) { reactor in
            _ = try stage.connect(reactor, to: stage.listen(reactor, factory: OneConnectionFactory(server)), factory: factory)
            let stop = factory.whenStopped
            factory.whenStopped = {
                reactor.when {
                    server.lossCount > 0
                } then: {
                    stop?()
                }
            }
        }
        stage.expect(events == [.start, .startedConnecting, .lost(.done), .stop])
        stage.expect(server.events == [.made, .lost(.done)])
    }

    static func aFactoryThatThrows(on stage: ConformanceStage) throws {
        let server = Recorder()
        let factory = RecordingClientFactory { () throws -> Protocol in throw Refusal() }
        let events = try events(of: factory, on: stage) { reactor in
            _ = try stage.connect(reactor, to: stage.listen(reactor, factory: OneConnectionFactory(server)), factory: factory)
            let stop = factory.whenStopped
            factory.whenStopped = {
                reactor.when {
                    server.lossCount > 0
                } then: {
                    stop?()
                }
            }
        }
        stage.expect(events == [.start, .startedConnecting, .failed(.failed), .stop])
        stage.expect(factory.failure?.underlying as? Refusal == Refusal())
        stage.expect(server.events == [.made, .lost(.done)])
    }

    static func severalConnectors(on stage: ConformanceStage) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory, on: stage) { reactor in
            let port = try stage.listen(reactor, factory: closingAtOnce())
            for _ in 0..<5 { _ = try stage.connect(reactor, to: port, factory: factory) }
        }
        stage.expect(events.count { $0 == .start } == 1)
        stage.expect(events.count { $0 == .stop } == 1)
        stage.expect(events.count { $0 == .lost(.done) } == 5)
        stage.expect(events.last == .stop)
    }

    static func whatAFactoryThrows(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let factory = RecordingClientFactory { Recorder() }
        factory.whenStarted = { _ in throw Refusal() }
        factory.whenLost = { _, _ in throw Refusal() }
        let events = try events(of: factory, on: stage, log: log, errors: 2) { reactor in
            _ = try stage.connect(reactor, to: stage.listen(reactor, factory: closingAtOnce()), factory: factory)
        }
        stage.expect(events == [.start, .startedConnecting, .lost(.done), .stop])
        stage.expect(log.count(containing: "RecordingClientFactory.startedConnecting threw: Refusal(number: 0)") == 1)
        stage.expect(log.count(containing: "RecordingClientFactory.clientConnectionLost threw: Refusal(number: 0)") == 1)
    }
}
