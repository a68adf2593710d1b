import Testing

@testable import Twill

extension Conformance {
    @Suite("Listening, and what a server's factory decides")
    struct Listening {
        /// A client that connects to a port, and does this when it has lost its connection.
        private func visit(
            _ port: any ListeningPort, _ reactor: any Reactor, on kind: StreamKind, _ client: Recorder, then: @escaping () -> Void
        ) throws {
            client.whenLost = { _, _ in reactor.afterTurns(3, then) }
            _ = try kind.connect(reactor, to: port, factory: ClientFactory { [weak client] _ in client })
        }

        @Test("T09: a factory that throws refuses the connection, and goes on serving", arguments: StreamKind.dialledWithoutHeader)
        func aFactoryThatThrows(on kind: StreamKind) throws {
            let log = RecordedLog()
            let clients = [Recorder(), Recorder()]
            let reactor = try withReactor(on: kind, log: log, errors: 1) { reactor in
                var visits = 0
                let factory = Factory { () throws -> Twill::Protocol in
                    visits += 1
                    if visits == 1 { throw Refusal() }
                    let server = Recorder()
                    server.whenMade = {
                        $0.transport.write("hello")
                        $0.transport.loseConnection()
                    }
                    return server
                }
                let port = try kind.listen(reactor, factory: factory)
                try visit(port, reactor, on: kind, clients[0]) {
                    #expect(throws: Never.self) { try visit(port, reactor, on: kind, clients[1]) { reactor.stop() } }
                }
                return reactor
            }
            #expect(clients[0].events == [.made, .lost(.done)])
            #expect(clients[1].events == [.made, .data("hello"), .lost(.done)])
            #expect(log.count(containing: "Factory.buildProtocol threw: Refusal(number: 0)") == 1)
            #expect(reactor.statistics.connections.refused == 1)
        }

        @Test("T10: a factory that returns nil refuses the connection in silence", arguments: StreamKind.dialledWithoutHeader)
        func aFactoryThatReturnsNil(on kind: StreamKind) throws {
            let log = RecordedLog()
            let client = Recorder()
            let reactor = try withReactor(on: kind, log: log) { reactor in
                try visit(kind.listen(reactor, factory: Factory { (_: Address) in nil }), reactor, on: kind, client) { reactor.stop() }
                return reactor
            }
            #expect(client.events == [.made, .lost(.done)])
            #expect(log.entries.isEmpty)
            #expect(reactor.statistics.connections.refused == 1)
            #expect(reactor.statistics.connections.accepted == 1)
        }

        @Test("K13: one turn accepts a limited number, and all are served in the end", arguments: StreamKind.onTCPSockets)
        func oneTurnAcceptsALimitedNumber(on kind: StreamKind) throws {
            let clients = Shared<[RawSocket]>([])
            var mostPerTurn = 0
            var served = 0
            try withReactor(on: kind) { reactor in
                var perTurn = 0
                reactor.everyTurn {
                    mostPerTurn = max(mostPerTurn, perTurn)
                    perTurn = 0
                }
                var binding = TCPBinding(port: 0, interface: "127.0.0.1")
                binding.acceptsPerTurn = 4
                let factory = Factory { () -> Recorder in
                    perTurn += 1
                    served += 1
                    if served == 30 { reactor.afterTurns(3) { reactor.stop() } }
                    return Recorder()
                }
                let port = try reactor.listenTCP(on: binding, factory: factory).number
                // They wait in the system's queue before the reactor runs.
                clients.value = try (0..<30).map { _ in try RawSocket(connectedTo: port) }
            }
            #expect(served == 30)
            #expect(mostPerTurn == 4)
        }

        @Test("K13: many connections that come at once are all served", arguments: StreamKind.dialled)
        func manyConnectionsAtOnce(on kind: StreamKind) throws {
            let count = 100
            let clients = (0..<count).map { _ in Recorder() }
            try withReactor(on: kind) { reactor in
                let factory = Factory { () -> Recorder in
                    let server = Recorder()
                    server.whenData = {
                        $0.transport.write("hello, \($0.text)")
                        $0.transport.loseConnection()
                    }
                    return server
                }
                let port = try kind.listen(reactor, factory: factory)
                var left = count
                for (number, client) in clients.enumerated() {
                    client.whenMade = { $0.transport.write("\(number)") }
                    try visit(port, reactor, on: kind, client) {
                        left -= 1
                        if left == 0 { reactor.stop() }
                    }
                }
            }
            for (number, client) in clients.enumerated() { #expect(client.text == "hello, \(number)") }
        }

        @Test("K15: a factory on two ports starts once, and stops once after the last", arguments: StreamKind.dialled)
        func aFactoryOnTwoPorts(on kind: StreamKind) throws {
            let factory = CountingFactory { Recorder() }
            try withReactor(on: kind) { reactor in
                let first = try kind.listen(reactor, factory: factory)
                let second = try kind.listen(reactor, factory: factory)
                #expect(factory.starts == 1)
                reactor.callWhenRunning {
                    first.stopListening()
                    reactor.afterTurns(3) {
                        #expect(factory.stops == 0)
                        second.stopListening()
                        second.stopListening()
                        #expect(factory.stops == 0, "it is told on a later turn")
                        factory.whenStopped = { reactor.afterTurns(3) { reactor.stop() } }
                    }
                }
            }
            #expect(factory.starts == 1)
            #expect(factory.stops == 1)
        }

        @Test("K15: a factory that will not start keeps the port closed", arguments: StreamKind.dialled)
        func aFactoryThatWillNotStart(on kind: StreamKind) throws {
            final class Failing: Factory {
                override func startFactory() throws { throw Refusal() }
            }
            try withReactor(on: kind) { reactor in
                let factory = Failing()
                #expect(throws: Refusal.self) { try kind.listen(reactor, factory: factory) }
                #expect(factory.userCount == 0)
                reactor.callWhenRunning { reactor.stop() }
            }
        }

        @Test("K15: what stopFactory throws is logged", arguments: StreamKind.dialled)
        func whatStopFactoryThrows(on kind: StreamKind) throws {
            final class Failing: Factory {
                override func stopFactory() throws { throw Refusal() }
            }
            let log = RecordedLog()
            try withReactor(on: kind, log: log, errors: 1) { reactor in
                _ = try kind.listen(reactor, factory: Failing())
                reactor.callWhenRunning { reactor.stop() }
            }
            #expect(log.count(containing: "Failing.stopFactory threw: Refusal(number: 0)") == 1)
        }

        @Test("a closed port refuses new connections and keeps the old ones", arguments: StreamKind.dialled)
        func aClosedPort(on kind: StreamKind) throws {
            let late = RecordingClientFactory { Recorder() }
            let pair = try withPair(on: kind) { pair in
                pair.server.whenData = { $0.transport.write($0.text) }
                pair.client.whenMade = { $0.transport.write("1") }
                pair.client.whenData = { client in
                    guard client.text == "1" else { return client.transport.loseConnection() }
                    pair.port.stopListening()
                    #expect(!pair.port.isListening)
                    late.whenFailed = { _, _ in client.transport.write("2") }
                    late.whenLost = { _, _ in client.transport.abortConnection() }
                    _ = try kind.connect(pair.reactor, to: pair.port, factory: late)
                }
            }
            #expect(pair.client.text == "112")
            #expect(late.failure == .refused)
        }

        @Test("a factory may close its port while it serves", arguments: StreamKind.dialled)
        func aFactoryMayCloseItsPort(on kind: StreamKind) throws {
            let client = Recorder()
            try withReactor(on: kind) { reactor in
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
                let listening = try kind.listen(reactor, factory: factory)
                port = listening
                try visit(listening, reactor, on: kind, client) { reactor.stop() }
            }
            #expect(client.text == "the last one")
        }
    }
}
