import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Connecting", .nothingLivesOn)
struct SocketDialerTests {
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

    #if os(Linux)
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
}
