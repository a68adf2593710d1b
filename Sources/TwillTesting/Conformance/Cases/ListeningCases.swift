import Twill

/// Listening, and what a server's factory decides.
enum ListeningCases {
    static let all: [[ConformanceCase]] = [
        .of("T09: a factory that throws refuses the connection, and goes on serving", [.dialling, .firstByte], aFactoryThatThrows),
        .of("T10: a factory that returns nil refuses the connection in silence", [.dialling, .firstByte], aFactoryThatReturnsNil),
        .of("K13: many connections that come at once are all served", .dialling, manyConnectionsAtOnce),
        .of("K15: a factory on two ports starts once, and stops once after the last", .dialling, aFactoryOnTwoPorts),
        .of("K15: a factory that will not start keeps the port closed", .dialling, aFactoryThatWillNotStart),
        .of("K15: what stopFactory throws is logged", .dialling, whatStopFactoryThrows),
        .of("a closed port refuses new connections and keeps the old ones", .dialling, aClosedPort),
        .of("a factory may close its port while it serves", .dialling, aFactoryMayCloseItsPort),
    ]

    /// A client that connects to a port, and does this when it has lost its connection.
    private static func visit(
        _ port: any ListeningPort, _ reactor: any Reactor, on stage: ConformanceStage, _ client: Recorder, then: @escaping () -> Void
    ) throws {
        client.whenLost = { _, _ in reactor.afterTurns(3, then) }
        _ = try stage.connect(reactor, to: port, factory: ClientFactory { [weak client] _ in client })
    }

    static func aFactoryThatThrows(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let clients = [Recorder(), Recorder()]
        let reactor = try stage.withReactor(log: log, errors: 1) { reactor in
            var visits = 0
            let factory = Factory { () throws -> Protocol in
                visits += 1
                if visits == 1 { throw Refusal() }
                let server = Recorder()
                server.whenMade = {
                    $0.transport.write("hello")
                    $0.transport.loseConnection()
                }
                return server
            }
            let port = try stage.listen(reactor, factory: factory)
            try visit(port, reactor, on: stage, clients[0]) {
                stage.expectNoError { try visit(port, reactor, on: stage, clients[1]) { reactor.stop() } }
            }
            return reactor
        }
        stage.expect(clients[0].events == [.made, .lost(.done)])
        stage.expect(clients[1].events == [.made, .data("hello"), .lost(.done)])
        stage.expect(log.count(containing: "Factory.buildProtocol threw: Refusal(number: 0)") == 1)
        stage.expect(reactor.statistics.connections.refused == 1)
    }

    static func aFactoryThatReturnsNil(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let client = Recorder()
        let reactor = try stage.withReactor(log: log) { reactor in
            try visit(stage.listen(reactor, factory: Factory { (_: Address) in nil }), reactor, on: stage, client) { reactor.stop() }
            return reactor
        }
        stage.expect(client.events == [.made, .lost(.done)])
        stage.expect(log.entries.isEmpty)
        stage.expect(reactor.statistics.connections.refused == 1)
        stage.expect(reactor.statistics.connections.accepted == 1)
    }

    static func manyConnectionsAtOnce(on stage: ConformanceStage) throws {
        let count = 100
        let clients = (0..<count).map { _ in Recorder() }
        try stage.withReactor { reactor in
            let factory = Factory { () -> Recorder in
                let server = Recorder()
                server.whenData = {
                    $0.transport.write("hello, \($0.text)")
                    $0.transport.loseConnection()
                }
                return server
            }
            let port = try stage.listen(reactor, factory: factory)
            var left = count
            for (number, client) in clients.enumerated() {
                client.whenMade = { $0.transport.write("\(number)") }
                try visit(port, reactor, on: stage, client) {
                    left -= 1
                    if left == 0 { reactor.stop() }
                }
            }
        }
        for (number, client) in clients.enumerated() { stage.expect(client.text == "hello, \(number)") }
    }

    static func aFactoryOnTwoPorts(on stage: ConformanceStage) throws {
        let factory = CountingFactory { Recorder() }
        try stage.withReactor { reactor in
            let first = try stage.listen(reactor, factory: factory)
            let second = try stage.listen(reactor, factory: factory)
            stage.expect(factory.starts == 1)
            reactor.callWhenRunning {
                first.stopListening()
                reactor.afterTurns(3) {
                    stage.expect(factory.stops == 0)
                    second.stopListening()
                    second.stopListening()
                    stage.expect(factory.stops == 0, "it is told on a later turn")
                    factory.whenStopped = { reactor.afterTurns(3) { reactor.stop() } }
                }
            }
        }
        stage.expect(factory.starts == 1)
        stage.expect(factory.stops == 1)
    }

    static func aFactoryThatWillNotStart(on stage: ConformanceStage) throws {
        final class Failing: Factory {
            override func startFactory() throws { throw Refusal() }
        }
        try stage.withReactor { reactor in
            let factory = Failing()
            stage.expect(throws: Refusal()) { _ = try stage.listen(reactor, factory: factory) }
            stage.expect(factory.userCount == 0)
            reactor.callWhenRunning { reactor.stop() }
        }
    }

    static func whatStopFactoryThrows(on stage: ConformanceStage) throws {
        final class Failing: Factory {
            override func stopFactory() throws { throw Refusal() }
        }
        let log = RecordedLog()
        try stage.withReactor(log: log, errors: 1) { reactor in
            _ = try stage.listen(reactor, factory: Failing())
            reactor.callWhenRunning { reactor.stop() }
        }
        stage.expect(log.count(containing: "Failing.stopFactory threw: Refusal(number: 0)") == 1)
    }

    static func aClosedPort(on stage: ConformanceStage) throws {
        let late = RecordingClientFactory { Recorder() }
        let pair = try stage.withPair { pair in
            pair.server.whenData = { $0.transport.write($0.text) }
            pair.client.whenMade = { $0.transport.write("1") }
            pair.client.whenData = { client in
                guard client.text == "1" else { return client.transport.loseConnection() }
                pair.port.stopListening()
                stage.expect(!pair.port.isListening)
                late.whenFailed = { _, _ in client.transport.write("2") }
                late.whenLost = { _, _ in client.transport.abortConnection() }
                _ = try stage.connect(pair.reactor, to: pair.port, factory: late)
            }
        }
        stage.expect(pair.client.text == "112")
        stage.expect(late.failure == .refused)
    }

    static func aFactoryMayCloseItsPort(on stage: ConformanceStage) throws {
        let client = Recorder()
        try stage.withReactor { reactor in
            // Weak, because the port knows its factory.
            weak var port: (any ListeningPort)?
            let factory = Factory { () -> Recorder in
                port?.stopListening()
                let server = Recorder()
                server.whenMade = {
                    $0.transport.write("the last one")
                    $0.transport.loseConnection()
                }
                return server
            }
            let listening = try stage.listen(reactor, factory: factory)
            port = listening
            try visit(listening, reactor, on: stage, client) { reactor.stop() }
        }
        stage.expect(client.text == "the last one")
    }
}
