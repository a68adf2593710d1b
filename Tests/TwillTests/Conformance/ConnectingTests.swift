import Testing

@testable import Twill

extension Conformance {
    @Suite("Connecting, and what a client's factory hears")
    struct Connecting {
        /// What a client's factory heard until it stopped.
        private func events(
            of factory: RecordingClientFactory, on kind: StreamKind, log: RecordedLog = RecordedLog(), errors: Int = 0,
            sourceLocation: SourceLocation = #_sourceLocation, _ connect: (any Reactor) throws -> Void
        ) throws -> [FactoryEvent] {
            try withReactor(on: kind, log: log, errors: errors, sourceLocation: sourceLocation) { reactor in
                factory.whenStopped = { [unowned reactor] in reactor.afterTurns(3) { reactor.stop() } }
                try connect(reactor)
            }
            #expect(factory.userCount == 0, sourceLocation: sourceLocation)
            // What a test hung there may hold the factory, and the reactor.
            (factory.whenStarted, factory.whenFailed, factory.whenLost, factory.whenStopped) = (nil, nil, nil, nil)
            return factory.events
        }

        /// A factory whose protocols close at once.
        private func closingAtOnce() -> Factory {
            Factory { () -> Recorder in
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
        }

        /// A port that has closed.
        private func closedPort(_ reactor: any Reactor, on kind: StreamKind) throws -> any ListeningPort {
            let port = try kind.listen(reactor, factory: Factory())
            port.stopListening()
            return port
        }

        @Test("a connection knows both of its ends", arguments: StreamKind.dialled)
        func bothEndsAreKnown(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = { server in
                    #expect(server.transport.peer == pair.client.transport.host)
                    #expect(server.transport.host == pair.client.transport.peer)
                    #expect(server.transport.host == pair.port.address)
                    #expect(server.transport.reactor === pair.reactor)
                    #expect(server.transport.state == .connected)
                    #expect(pair.connector.state == .connected)
                    server.transport.loseConnection()
                }
            }
            #expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
            // It remembers its peer, though the socket is gone.
            #expect(pair.server.transport.peer != .unknown)
            #expect(pair.connector.state == .disconnected)
        }

        @Test("K02: a refused connection is told to the factory, which then stops", arguments: StreamKind.dialled)
        func aRefusedConnection(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                let connector = try kind.connect(reactor, to: closedPort(reactor, on: kind), factory: factory)
                #expect(factory.events == [.start, .startedConnecting], "nothing is told from inside the call")
                #expect(connector.state == .connecting)
            }
            #expect(events == [.start, .startedConnecting, .failed(.refused), .stop])
            #expect(factory.failure?.description.contains("refused") == true)
        }

        @Test("K03: stopping an attempt fails it on a later turn, and once only", arguments: StreamKind.dialled)
        func stoppingAnAttempt(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                let connector = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                try connector.stopConnecting()
                #expect(factory.failure == nil)
                #expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
            }
            #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
        }

        @Test("K03: an attempt may be stopped as soon as it has started", arguments: StreamKind.dialled)
        func stoppedAsSoonAsStarted(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            factory.whenStarted = { try $0.stopConnecting() }
            let events = try events(of: factory, on: kind) { reactor in
                let connector = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                #expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
            }
            #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
        }

        @Test("K03: stopping the reactor cancels an attempt", arguments: StreamKind.dialled)
        func stoppingTheReactorCancelsAnAttempt(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                reactor.callWhenRunning {
                    _ = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                    // Connecting takes a turn at least, and there is none before the stop.
                    reactor.stop()
                }
            }
            #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
        }

        @Test("K04: a name without an address is unknown", arguments: StreamKind.onTCP)
        func aNameWithoutAnAddress(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { try $0.connectTCP(host: "nonexistent.invalid", port: 80, factory: factory) }
            #expect(events == [.start, .startedConnecting, .failed(.unknownHost), .stop])
            #expect(factory.failure?.underlying is ResolveError)
            #expect(factory.failure?.description.contains("nonexistent.invalid:80") == true)
        }

        #if os(Linux)
        @Test("K05: an attempt without an answer times out", arguments: StreamKind.onTCPSockets)
        func anAttemptWithoutAnAnswer(on kind: StreamKind) throws {
            // A queue that is full makes the system drop what else comes; the peer never answers.
            let (listener, port) = try RawSocket.listener(backlog: 0)
            let first = try RawSocket(connectedTo: port)
            let factory = RecordingClientFactory { Recorder() }
            let start = ContinuousClock.now
            let events = try events(of: factory, on: kind) {
                try $0.connectTCP(host: "127.0.0.1", port: port, factory: factory, timeout: .milliseconds(50))
            }
            withExtendedLifetime((listener, first)) {}
            #expect(events == [.start, .startedConnecting, .failed(.timedOut), .stop])
            #expect(ContinuousClock.now - start >= .milliseconds(50))
        }
        #endif

        @Test(
            "K06: trying again inside a failure keeps the factory", arguments: StreamKind.dialled
        )
        func tryingAgainInsideAFailure(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                var attempts = 0
                factory.whenFailed = { connector, _ in
                    attempts += 1
                    if attempts < 3 { try connector.connect() }
                }
                _ = try kind.connect(reactor, to: closedPort(reactor, on: kind), factory: factory)
            }
            let attempt: [FactoryEvent] = [.startedConnecting, .failed(.refused)]
            #expect(events == [.start] + attempt + attempt + attempt + [.stop])
        }

        @Test("K06: trying again inside a loss connects again, and keeps the factory", arguments: StreamKind.dialled)
        func tryingAgainInsideALoss(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                let port = try kind.listen(reactor, factory: closingAtOnce())
                factory.whenLost = { connector, _ in
                    if factory.events.count < 6 { try connector.connect() }
                }
                _ = try kind.connect(reactor, to: port, factory: factory)
            }
            let life: [FactoryEvent] = [.startedConnecting, .lost(.done)]
            #expect(events == [.start] + life + life + life + [.stop])
        }

        @Test("K07: connecting while connecting or connected is an error", arguments: StreamKind.dialled)
        func connectingTwice(on kind: StreamKind) throws {
            let client = Recorder()
            let factory = RecordingClientFactory { [weak client] _ in client }
            let events = try events(of: factory, on: kind) { reactor in
                let connector = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                #expect(throws: ConnectorError.notDisconnected) { try connector.connect() }
                client.whenMade = { client in
                    #expect(connector.state == .connected)
                    #expect(throws: ConnectorError.notDisconnected) { try connector.connect() }
                    #expect(throws: ConnectorError.notConnecting) { try connector.stopConnecting() }
                    client.transport.loseConnection()
                }
            }
            #expect(client.events == [.made, .lost(.done)])
            #expect(events == [.start, .startedConnecting, .lost(.done), .stop])
        }

        @Test("K07: a connector disconnects its connection", arguments: StreamKind.dialled)
        func disconnecting(on kind: StreamKind) throws {
            let client = Recorder()
            let factory = RecordingClientFactory { [weak client] _ in client }
            let events = try events(of: factory, on: kind) { reactor in
                let connector = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
                client.whenMade = { client in
                    client.transport.write("sent")
                    connector.disconnect()
                    connector.disconnect()
                    #expect(client.events == [.made])
                }
            }
            #expect(client.events == [.made, .lost(.done)])
            #expect(events == [.start, .startedConnecting, .lost(.done), .stop])
        }

        @Test("T20: the protocol hears of the loss first, then the factory, then it stops", arguments: StreamKind.dialled)
        func theOrderOfTheLoss(on kind: StreamKind) throws {
            var story: [String] = []
            let client = Recorder()
            client.whenLost = { _, _ in story.append("protocol") }
            let factory = RecordingClientFactory { [weak client] _ in client }
            factory.whenLost = { _, _ in story.append("factory") }
            let events = try events(of: factory, on: kind) { reactor in
                _ = try kind.connect(reactor, to: kind.listen(reactor, factory: closingAtOnce()), factory: factory)
                let stop = factory.whenStopped
                factory.whenStopped = {
                    story.append("stop")
                    stop?()
                }
            }
            #expect(story == ["protocol", "factory", "stop"])
            #expect(events == [.start, .startedConnecting, .lost(.done), .stop])
        }

        @Test(
            "T08b: a client that throws when it is made is lost with its error, and so its factory is told", arguments: StreamKind.dialled)
        func aClientThatThrows(on kind: StreamKind) throws {
            var told: ConnectionLost?
            let client = Recorder()
            client.whenMade = { _ in throw Refusal() }
            let factory = RecordingClientFactory { [weak client] _ in client }
            factory.whenLost = { _, reason in told = reason }
            let events = try events(of: factory, on: kind, errors: 1) { reactor in
                _ = try kind.connect(reactor, to: kind.listen(reactor, factory: Factory { Recorder() }), factory: factory)
            }
            #expect(events == [.start, .startedConnecting, .lost(.failed), .stop])
            #expect(told?.underlying as? Refusal == Refusal())
        }

        @Test("T10b: a factory that builds no protocol closes the connection", arguments: StreamKind.dialledWithoutHeader)
        func aFactoryThatBuildsNoProtocol(on kind: StreamKind) throws {
            let server = Recorder()
            let factory = RecordingClientFactory { (_: Address) in nil }
            let events = try events(of: factory, on: kind) { reactor in
                _ = try kind.connect(reactor, to: kind.listen(reactor, factory: OneConnectionFactory(server)), factory: factory)
                let stop = factory.whenStopped
                factory.whenStopped = {
                    reactor.when {
                        server.lossCount > 0
                    } then: {
                        stop?()
                    }
                }
            }
            #expect(events == [.start, .startedConnecting, .lost(.done), .stop])
            #expect(server.events == [.made, .lost(.done)])
        }

        @Test("T10c: a factory that throws fails the attempt with its error", arguments: StreamKind.dialledWithoutHeader)
        func aFactoryThatThrows(on kind: StreamKind) throws {
            let server = Recorder()
            let factory = RecordingClientFactory { () throws -> Twill::Protocol in throw Refusal() }
            let events = try events(of: factory, on: kind) { reactor in
                _ = try kind.connect(reactor, to: kind.listen(reactor, factory: OneConnectionFactory(server)), factory: factory)
                let stop = factory.whenStopped
                factory.whenStopped = {
                    reactor.when {
                        server.lossCount > 0
                    } then: {
                        stop?()
                    }
                }
            }
            #expect(events == [.start, .startedConnecting, .failed(.failed), .stop])
            #expect(factory.failure?.underlying as? Refusal == Refusal())
            #expect(server.events == [.made, .lost(.done)])
        }

        @Test("K15: one factory may serve several connectors", arguments: StreamKind.dialled)
        func severalConnectors(on kind: StreamKind) throws {
            let factory = RecordingClientFactory { Recorder() }
            let events = try events(of: factory, on: kind) { reactor in
                let port = try kind.listen(reactor, factory: closingAtOnce())
                for _ in 0..<5 { _ = try kind.connect(reactor, to: port, factory: factory) }
            }
            #expect(events.count { $0 == .start } == 1)
            #expect(events.count { $0 == .stop } == 1)
            #expect(events.count { $0 == .lost(.done) } == 5)
            #expect(events.last == .stop)
        }

        @Test("what a client's factory throws is logged, and changes nothing", arguments: StreamKind.dialled)
        func whatAFactoryThrows(on kind: StreamKind) throws {
            let log = RecordedLog()
            let factory = RecordingClientFactory { Recorder() }
            factory.whenStarted = { _ in throw Refusal() }
            factory.whenLost = { _, _ in throw Refusal() }
            let events = try events(of: factory, on: kind, log: log, errors: 2) { reactor in
                _ = try kind.connect(reactor, to: kind.listen(reactor, factory: closingAtOnce()), factory: factory)
            }
            #expect(events == [.start, .startedConnecting, .lost(.done), .stop])
            #expect(log.count(containing: "RecordingClientFactory.startedConnecting threw: Refusal(number: 0)") == 1)
            #expect(log.count(containing: "RecordingClientFactory.clientConnectionLost threw: Refusal(number: 0)") == 1)
        }
    }
}
