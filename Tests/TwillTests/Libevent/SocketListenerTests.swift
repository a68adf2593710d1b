import Testing

@testable import Twill

@Suite("Listening", .nothingLivesOn)
struct SocketListenerTests {
    private struct Refusal: Error {}

    /// Says hello to each connection and closes it.
    private func greeting() -> Factory {
        Factory { () -> Recorder in
            let server = Recorder()
            server.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
            }
            return server
        }
    }

    @Test func portZeroTakesAFreePortAndTellsWhich() throws {
        let reactor = try LibeventReactor()
        let first = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
        let second = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
        #expect(first.number > 0)
        #expect(first.number != second.number)
        #expect(first.address.host == "127.0.0.1")
        #expect(first.isListening)
        first.stopListening()
        second.stopListening()
        #expect(!first.isListening)
    }

    @Test(arguments: [("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("::1", "::1", "::1"), ("", "127.0.0.1", "127.0.0.1"), ("", "::1", "::1")])
    func clientsReachTheInterfaceThatWasAskedFor(interface: String, client: String, peer: String) throws {
        let seen = Shared("")
        try withReactor { reactor in
            let factory = Factory { (address: Address) -> Twill::Protocol? in
                seen.value = address.host
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: interface).number
            reactor.runClient { _ = try RawSocket(connectedTo: port, host: client).receiveToEnd() }
        }
        // An IPv4 client of a port on all interfaces shows as IPv4.
        #expect(seen.value == peer)
    }

    @Test func aPortInUseIsNamedInTheError() throws {
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        defer { port.stopListening() }
        let error = #expect(throws: ListenError.self) {
            try reactor.listenTCP(port: port.number, factory: greeting(), interface: "127.0.0.1")
        }
        #expect(error == .addressInUse)
        #expect(error?.description.hasPrefix("Couldn't listen on 127.0.0.1:\(port.number): address already in use") == true)
        #expect(error?.underlying?.call == "bind" || error?.underlying?.call == "listen")
    }

    @Test(arguments: [("localhost", 0), ("999.1.1.1", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 65536), ("::1", Int.min)])
    func whatIsNoAddressOrNoPortIsRefused(interface: String, port: Int) throws {
        let reactor = try LibeventReactor()
        let error = #expect(throws: ListenError.self) { try reactor.listenTCP(port: port, factory: greeting(), interface: interface) }
        #expect(error == .badAddress)
        #expect(error?.description.contains("\(port)") == true)
    }

    @Test func anAddressOfNoInterfaceIsNotAvailable() throws {
        let reactor = try LibeventReactor()
        let error = #expect(throws: ListenError.self) { try reactor.listenTCP(port: 0, factory: greeting(), interface: "192.0.2.1") }
        #expect(error == .addressNotAvailable)
        #expect(error?.address == "192.0.2.1:0")
    }

    @Test func aSharedPortIsListenedOnTwice() throws {
        try withReactor { reactor in
            let first = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1", reusePort: true)
            let second = try reactor.listenTCP(port: first.number, factory: greeting(), interface: "127.0.0.1", reusePort: true)
            #expect(first.address == second.address)
            let port = first.number
            reactor.runClient {
                for _ in 0..<20 { try #require(RawSocket(connectedTo: port).receiveToEnd() == Array("hello".utf8)) }
            }
        }
    }

    @Test func aFactoryOnTwoPortsStartsOnceAndStopsAfterTheLast() throws {
        let factory = CountingFactory { Recorder() }
        try withReactor { reactor in
            let first = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let second = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
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

    @Test func aFactoryThatWillNotStartLeavesThePortFree() throws {
        final class Failing: Factory {
            override func startFactory() throws { throw Refusal() }
        }
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        let number = port.number
        port.stopListening()
        #expect(throws: Refusal.self) { try reactor.listenTCP(port: number, factory: Failing(), interface: "127.0.0.1") }
        let again = try reactor.listenTCP(port: number, factory: greeting(), interface: "127.0.0.1")
        again.stopListening()
    }

    @Test func whatStopFactoryThrowsIsLogged() throws {
        final class Failing: Factory {
            override func stopFactory() throws { throw Refusal() }
        }
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            try reactor.listenTCP(port: 0, factory: Failing(), interface: "127.0.0.1")
            reactor.callWhenRunning { reactor.stop() }
        }
        #expect(log.count(containing: "stopFactory threw: Refusal()") == 1)
    }

    @Test func aClosedPortRefusesNewConnectionsAndKeepsTheOldOnes() throws {
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { EchoOnce() }, interface: "127.0.0.1")
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                // An answer shows that the connection was accepted.
                try client.send("1")
                try #require(client.receive(exactly: 1) == Array("1".utf8))
                return client
            } then: { client in
                port.stopListening()
                reactor.runClient {
                    #expect(throws: CallFailure("connect", 111)) { _ = try RawSocket(connectedTo: number) }
                    try client.send("2")
                    try #require(client.receive(exactly: 1) == Array("2".utf8))
                }
            }
        }
    }

    private final class EchoOnce: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    @Test func moreConnectionsThanOneTurnAcceptsAreAllServed() throws {
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1").number
            reactor.runClient {
                let clients = try (0..<300).map { _ in try RawSocket(connectedTo: port) }
                for client in clients { try #require(client.receiveToEnd() == Array("hello".utf8)) }
            }
        }
    }

    @Test func aFactoryThatReturnsNilClosesTheConnection() throws {
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { (_: Address) in nil }, interface: "127.0.0.1").number
            reactor.runClient { try #require(RawSocket(connectedTo: port).receiveToEnd() == []) }
        }
    }

    @Test func aFactoryThatThrowsClosesTheConnectionAndGoesOnServing() throws {
        let log = RecordedLog()
        let count = Counter()
        try withReactor(log: log) { reactor in
            let factory = Factory { () throws -> Twill::Protocol in
                if count.add() == 1 { throw Refusal() }
                let server = Recorder()
                server.whenMade = {
                    $0.transport.write("hello")
                    $0.transport.loseConnection()
                }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                try #require(RawSocket(connectedTo: port).receiveToEnd() == [])
                try #require(RawSocket(connectedTo: port).receiveToEnd() == Array("hello".utf8))
            }
        }
        #expect(log.count(containing: "buildProtocol threw: Refusal()") == 1)
    }

    @Test func aFactoryMayCloseItsPortWhileItServes() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            // Weak, because the port knows its factory.
            weak var port: (any ListeningPort)?
            let factory = Factory { () -> Recorder in
                port?.stopListening()
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
            port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let number = port?.number ?? 0
            reactor.runClient { try #require(RawSocket(connectedTo: number).receiveToEnd() == []) }
        }
        #expect(log.entries.isEmpty)
    }

    @Test func aStoppedReactorsPortsAreFree() throws {
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        reactor.stop()
        try reactor.runToStop()
        #expect(!port.isListening)
        let again = try reactor.listenTCP(port: port.number, factory: greeting(), interface: "127.0.0.1")
        again.stopListening()
    }
}
