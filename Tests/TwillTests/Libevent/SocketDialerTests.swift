import Testing

@testable import Twill

@Suite("Connecting", .nothingLivesOn)
struct SocketDialerTests {
    private struct Refusal: Error {}

    /// A port on which nobody listens.
    private func closedPort() throws -> Int {
        let (listener, port) = try RawSocket.listener(backlog: 1)
        listener.close()
        return port
    }

    /// Connects, and stops the reactor once the factory was told of an end and has stopped.
    private func events(
        of factory: RecordingClientFactory, log: RecordedLog = RecordedLog(), connecting connect: (LibeventReactor) throws -> Void
    ) throws -> [FactoryEvent] {
        try withReactor(log: log) { reactor in
            factory.whenStopped = { [unowned reactor] in reactor.stop() }
            try connect(reactor)
        }
        return factory.events
    }

    @Test func aConnectionKnowsBothOfItsEnds() throws {
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor)
            pair.server.whenData = { server in
                #expect(server.transport.peer == pair.client.transport.host)
                #expect(server.transport.host == pair.client.transport.peer)
                #expect(server.transport.host == pair.port.address)
                #expect(server.transport.reactor === reactor)
                #expect(server.transport.state == .connected)
                server.transport.loseConnection()
            }
            pair.client.whenMade = { $0.transport.write("hello") }
            return pair
        }
        #expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
        // It remembers them, though the socket is gone.
        #expect(pair.server.transport.peer.host == "127.0.0.1")
        #expect(pair.server.transport.state == .disconnected)
    }

    @Test func aRefusedConnectionIsToldToTheFactory() throws {
        let port = try closedPort()
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { try $0.connectTCP(host: "127.0.0.1", port: port, factory: factory) }
        #expect(events == [.start, .startedConnecting, .failed(.refused), .stop])
        #expect(factory.failure?.destination == "127.0.0.1:\(port)")
        #expect(factory.failure?.description.contains("127.0.0.1:\(port)") == true)
        #expect(factory.failure?.description.contains("refused") == true)
    }

    @Test func aRefusedIPv6ConnectionIsNamedInBrackets() throws {
        let factory = RecordingClientFactory { Recorder() }
        let port = try closedPort()
        let events = try events(of: factory) { try $0.connectTCP(host: "::1", port: port, factory: factory) }
        #expect(events == [.start, .startedConnecting, .failed(.refused), .stop])
        #expect(factory.failure?.destination == "[::1]:\(port)")
    }

    @Test(arguments: [65536, -1, 0, Int.max])
    func aPortThatIsNoneFailsTheAttemptAfterTheCall(port: Int) throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { reactor in
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory)
            #expect(factory.events == [.start, .startedConnecting])
        }
        #expect(events == [.start, .startedConnecting, .failed(.failed), .stop])
    }

    @Test func aNameWithoutAnAddressIsUnknown() throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { try $0.connectTCP(host: "nonexistent.invalid", port: 80, factory: factory) }
        #expect(events == [.start, .startedConnecting, .failed(.unknownHost), .stop])
        #expect(factory.failure?.underlying is ResolveError)
        #expect(factory.failure?.description.contains("nonexistent.invalid:80") == true)
    }

    @Test func aNameIsResolvedAndItsAddressesAreTriedInTurn() throws {
        // On most machines localhost is ::1 first, where nobody listens.
        let client = Recorder()
        let peer = try withReactor { reactor in
            let peer = Shared("")
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            let factory = RecordingClientFactory { [weak client] _ in client }
            client.whenMade = {
                peer.value = $0.transport.peer.host
                $0.transport.loseConnection()
            }
            factory.whenStopped = { reactor.stop() }
            try reactor.connectTCP(host: "localhost", port: port.number, factory: factory)
            return peer
        }
        #expect(client.events == [.made, .lost(.done)])
        #expect(peer.value == "127.0.0.1")
    }

    @Test func stoppingAnAttemptFailsItOnALaterTurn() throws {
        let port = try closedPort()
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { reactor in
            let connector = try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory)
            try connector.stopConnecting()
            #expect(factory.failure == nil)
        }
        #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    @Test func anAttemptMayBeStoppedAsSoonAsItHasStarted() throws {
        let log = RecordedLog()
        let factory = RecordingClientFactory { Recorder() }
        factory.whenStarted = { try $0.stopConnecting() }
        let events = try events(of: factory, log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            factory.whenLost = { _, _ in reactor.stop() }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: factory)
            reactor.callLater(.seconds(2)) { [weak reactor] in reactor?.stop() }
        }
        #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
        #expect(log.entries.isEmpty)
    }

    #if os(Linux)
    @Test func anAttemptWithoutAnAnswerTimesOut() throws {
        // A queue that is full makes the system drop what else comes; the peer never answers.
        let (listener, port) = try RawSocket.listener(backlog: 0)
        let first = try RawSocket(connectedTo: port)
        let factory = RecordingClientFactory { Recorder() }
        let start = ContinuousClock.now
        let events = try events(of: factory) {
            try $0.connectTCP(host: "127.0.0.1", port: port, factory: factory, timeout: .milliseconds(100))
        }
        withExtendedLifetime((listener, first)) {}
        #expect(events == [.start, .startedConnecting, .failed(.timedOut), .stop])
        #expect(ContinuousClock.now - start >= .milliseconds(100))
    }

    @Test func stoppingTheReactorCancelsAnAttempt() throws {
        let (listener, port) = try RawSocket.listener(backlog: 0)
        let first = try RawSocket(connectedTo: port)
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { reactor in
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory)
            reactor.callLater(.milliseconds(20)) { reactor.stop() }
        }
        withExtendedLifetime((listener, first)) {}
        #expect(events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    @Test func theLocalAddressMayBeChosen() throws {
        let pair = try withReactor { reactor in
            let seen = Shared("")
            let port = try reactor.listenTCP(
                port: 0,
                factory: Factory { (peer: Address) in
                    seen.value = peer.host
                    return Recorder()
                }, interface: "127.0.0.1")
            let factory = RecordingClientFactory { Recorder() }
            reactor.callWhenRunning {
                try reactor.connectTCP(
                    host: "127.0.0.1", port: port.number, factory: factory, bindAddress: Address(host: "127.0.0.2", port: 0))
            }
            func wait() { if seen.value.isEmpty { reactor.callLater(.milliseconds(1), wait) } else { reactor.stop() } }
            reactor.callWhenRunning(wait)
            return seen
        }
        #expect(pair.value == "127.0.0.2")
    }
    #endif

    @Test func aLocalAddressOfNoInterfaceCanNotBeBound() throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) {
            try $0.connectTCP(host: "127.0.0.1", port: 1, factory: factory, bindAddress: Address(host: "192.0.2.1", port: 0))
        }
        #expect(events == [.start, .startedConnecting, .failed(.cannotBind), .stop])
    }

    @Test func tryingAgainInsideAFailureReachesAServerThatCameMeanwhile() throws {
        let number = try closedPort()
        let client = Recorder()
        let factory = RecordingClientFactory { [weak client] _ in client }
        client.whenMade = { $0.transport.loseConnection() }
        let events = try events(of: factory) { reactor in
            factory.whenFailed = { connector, _ in
                try reactor.listenTCP(port: number, factory: Factory { Recorder() }, interface: "127.0.0.1")
                try connector.connect()
            }
            try reactor.connectTCP(host: "127.0.0.1", port: number, factory: factory)
        }
        #expect(events == [.start, .startedConnecting, .failed(.refused), .startedConnecting, .lost(.done), .stop])
        #expect(client.events == [.made, .lost(.done)])
    }

    @Test func tryingAgainInsideALossConnectsAgain() throws {
        let factory = RecordingClientFactory { Recorder() }
        let events = try events(of: factory) { reactor in
            let server = Factory { () -> Recorder in
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: server, interface: "127.0.0.1")
            factory.whenLost = { connector, _ in
                if factory.events.count < 6 { try connector.connect() }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: factory)
        }
        let life: [FactoryEvent] = [.startedConnecting, .lost(.done)]
        #expect(events == [.start] + life + life + life + [.stop])
    }
}
