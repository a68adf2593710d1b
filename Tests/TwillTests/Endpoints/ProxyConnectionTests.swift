import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Connections from proxies", .nothingLivesOn) final class ProxyConnectionTests {
    private let log = RecordedLog()
    private static let line = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n"

    /// Greets with the client's address, then echoes.
    private final class Greeter: Twill::Protocol {
        override func connectionMade() { transport.write("\(transport.peer) to \(transport.host)\n") }
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    private static let greeting = "192.0.2.7:56324 to 10.0.0.1:443\n"

    /// Runs a server that trusts this machine, and a client of it.
    @discardableResult
    private func run(
        _ inside: Factory, trusting list: String = "127.0.0.1", headerTimeout: Duration = .seconds(3),
        _ client: @escaping @Sendable (Int) throws -> Void
    ) throws -> ProxyProtocolFactory {
        let factory = try ProxyProtocolFactory(wrapping: inside, trusting: list, headerTimeout: headerTimeout)
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient { try client(port) }
        }
        return factory
    }

    // H02 to H04, H11, H14: with Twisted most of these are dropped.
    @Test func aHeaderMayComeInPiecesOfAnySize() throws {
        let headers = [bytes(Self.line), BinaryHeader().encoded]
        let factory = try run(Factory { Greeter() }) { port in
            for header in headers {
                for cut in [1, 5, 8, 12, 15, 16, 20, header.count - 1] {
                    let client = try RawSocket(connectedTo: port)
                    try client.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
                    try client.send(Array(header[..<cut]))
                    pauseThread(.milliseconds(2))
                    try client.send(header[cut...] + Array("hi".utf8))
                    try client.expect(Self.greeting + "hi")
                }
                let client = try RawSocket(connectedTo: port)
                try client.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
                for byte in header {
                    try client.send([byte])
                    pauseThread(.microseconds(200))
                }
                try client.expect(Self.greeting)
            }
        }
        #expect(factory.headersRefused == 0)
        #expect(log.entries.isEmpty)
    }

    // P5.
    @Test func aHeaderWithMuchBehindItLosesNothing() throws {
        let payload = Conformance.bytes(100_000)
        try run(Factory { Greeter() }) { port in
            for header in [bytes(Self.line), BinaryHeader().encodedWithChecksum] {
                let client = try RawSocket(connectedTo: port)
                try client.send(header + payload)
                try client.expect(Self.greeting)
                let echoed = try client.receive(exactly: payload.count)
                try #require(echoed == payload)
            }
        }
    }

    @Test func aServerThatSpeaksFirstWaitsForTheHeader() throws {
        try run(Factory { Greeter() }) { port in
            let client = try RawSocket(connectedTo: port)
            client.setPatience(.milliseconds(100))
            #expect(throws: CallFailure.self) { try client.receive() }
            client.setPatience(.seconds(20))
            try client.send(Self.line)
            try client.expect(Self.greeting)
        }
    }

    // P1.
    @Test func whoIsNotTrustedIsClosedAtOnceAndCounted() throws {
        let inside = CountingFactory()
        let factory = try run(inside, trusting: "10.0.0.0/8, 127.0.0.2") { port in
            for _ in 0..<20 {
                let client = try RawSocket(connectedTo: port)
                // It may be gone before the header.
                try? client.send(Self.line)
                let rest = try? client.receiveToEnd()
                try #require(rest ?? [] == [])
            }
        }
        #expect(factory.untrusted == 20)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0)
        #expect(log.entries.count == 1)
        #expect(log.count(containing: "warning: CountingFactory: refused 127.0.0.1:") == 1)
    }

    @Test func trustIsInTheAddressThatTheConnectionComesFrom() throws {
        let server = Recorder()
        let factory = try ProxyProtocolFactory(wrapping: OneConnectionFactory(server), trusting: "127.0.0.2")
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            let client = Recorder()
            client.whenMade = { $0.transport.write(Self.line + "x") }
            server.whenData = { server in
                #expect(server.transport.peer.host == "192.0.2.7")
                #expect(server.transport.proxied?.realPeer.host == "127.0.0.2")
                #expect(server.transport.proxied?.realHost.port == UInt16(port))
                reactor.stop()
            }
            let clients = RecordingClientFactory { [weak client] _ in client }
            // The connector knows its factory, which keeps the client until then.
            clients.whenLost = { [weak clients] _, _ in withExtendedLifetime(client) { clients?.whenLost = nil } }
            try reactor.connectTCP(
                host: "127.0.0.1", port: port, factory: clients, bindAddress: Address(host: "127.0.0.2", port: 0))
        }
        #expect(factory.untrusted == 0)
    }

    // P2.
    @Test(arguments: ["GET / HTTP/1.0\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0", "PROXY TCP4 999.1.1.1 10.0.0.1 1 2\r\n", "hello\r\n"])
    func whatIsNoHeaderClosesTheConnection(stream: String) throws {
        let inside = CountingFactory()
        var reasons: [Int] = []
        let factory = try ProxyProtocolFactory(wrapping: inside, trusting: "127.0.0.1")
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                try client.send(bytes(stream))
                try client.expectEnd()
            } then: {
                reasons = [port.statistics.closed(.badInput), port.statistics.refused]
                reactor.stop()
            }
        }
        #expect(reasons == [1, 0])
        #expect(factory.headersRefused == 1)
        #expect(log.entries.count == 1)
        #expect(log.count(containing: "warning: CountingFactory: the peer 127.0.0.1:") == 1)
    }

    // P2, the other way round.
    @Test func aHeaderOnAPortForClientsIsData() throws {
        let server = Recorder()
        server.whenData = { if $0.text == Self.line { $0.transport.loseConnection() } }
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send(Self.line)
                try client.expectEnd()
            }
        }
        #expect(server.text == Self.line)
    }

    // P7.
    @Test func healthChecksDisturbNobody() throws {
        let local = unhex("0d0a0d0a000d0a515549540a20000000")
        let alive = Counter()
        final class Server: Twill::Protocol {
            private let alive: Counter
            init(_ alive: Counter) {
                self.alive = alive
                super.init()
            }
            override func connectionMade() { alive.add() }
            override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
            override func connectionLost(_ reason: ConnectionLost) { alive.add(-1) }
        }
        let factory = try run(Factory { Server(alive) }) { port in
            let client = try RawSocket(connectedTo: port)
            try client.send(Self.line)
            for _ in 0..<20 {
                // One that says LOCAL and closes, one that says it and resets, one that only connects, one that connects and resets.
                for (sent, resets) in [(local, false), (local, true), ([], false), ([], true)] {
                    let check = try RawSocket(connectedTo: port)
                    try check.send(sent)
                    if resets { check.reset() } else { check.close() }
                }
                // One that is served.
                let check = try RawSocket(connectedTo: port)
                try check.send(local + Array("ping".utf8))
                try check.expect("ping")
                try client.send("hello")
                try client.expect("hello")
            }
        }
        #expect(alive.value == 0)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0 && factory.untrusted == 0)
        #expect(log.entries.isEmpty)
    }

    @Test func aHalfCloseBeforeTheHeaderClosesTheConnectionAndNothingInsideHears() throws {
        let inside = CountingFactory()
        let factory = try run(inside) { port in
            for start in ["", "PROXY TCP4 ", "\r\n\r\n\0"] {
                let client = try RawSocket(connectedTo: port)
                try client.send(start)
                client.shutdownWriting()
                try client.expectEnd()
            }
        }
        #expect(factory.headersRefused == 0 && factory.timedOut == 0)
        #expect(log.entries.isEmpty)
    }

    @Test func aHalfCloseableProtocolHearsTheEndAfterWhatCameWithTheHeader() throws {
        for pauses in [false, true] {
            let server = HalfCloseableRecorder()
            if pauses {
                server.whenMade = { server in
                    server.transport.pauseProducing()
                    server.transport.callLater(.milliseconds(50)) { server.transport.resumeProducing() }
                }
            }
            server.whenReadLost = { server in
                server.transport.write("\(server.text) and good bye")
                server.transport.loseConnection()
            }
            try run(OneConnectionFactory(server)) { port in
                let client = try RawSocket(connectedTo: port)
                try client.send(Self.line + "hello")
                client.shutdownWriting()
                try client.expect("hello and good bye")
                try client.expectEnd()
            }
            #expect(server.events == [.made, .data("hello"), .readLost, .lost(.done)])
        }
    }

    @Test func anyOtherProtocolGetsWhatCameWithTheHeaderAndThenTheEnd() throws {
        let server = Recorder()
        server.whenMade = { server in
            server.transport.pauseProducing()
            server.transport.callLater(.milliseconds(50)) { server.transport.resumeProducing() }
        }
        server.whenData = { $0.transport.write("\($0.text) too") }
        try run(OneConnectionFactory(server)) { port in
            let client = try RawSocket(connectedTo: port)
            try client.send(Self.line + "hello")
            client.shutdownWriting()
            try client.expect("hello too")
            try client.expectEnd()
        }
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
    }

    @Test func aReaderThatNeverResumesHearsOfAReset() throws {
        let server = Recorder()
        server.whenMade = { $0.transport.pauseProducing() }
        try withReactor(log: log) { reactor in
            server.whenLost = { _, _ in reactor.stop() }
            let factory = try ProxyProtocolFactory(wrapping: OneConnectionFactory(server), trusting: "127.0.0.1")
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send(Self.line + "hello")
                return client
            } then: { client in
                reactor.when {
                    server.events == [.made]
                } then: {
                    client.reset()
                }
            }
        }
        #expect(server.events == [.made, .lost(.lost)])
        #expect(server.reason?.peer.host == "192.0.2.7")
    }

    // A forwarder pauses until it has reached its target: nothing of what came with the header may be lost, and the end may not overtake it.
    @Test func aForwarderBehindAProxyForwardsEverything() throws {
        let payload = Conformance.bytes(300_000)
        try withReactor(log: log) { reactor in
            let target = try reactor.listenTCP(port: 0, factory: Factory { Greeter() }, interface: "127.0.0.1").number
            let forwarder = try ProxyProtocolFactory(wrapping: PortForwardFactory(host: "127.0.0.1", port: target), trusting: "127.0.0.1")
            let port = try reactor.listenTCP(port: 0, factory: forwarder, interface: "127.0.0.1").number
            reactor.runClient {
                for count in [0, 5, 300_000] {
                    let client = try RawSocket(connectedTo: port)
                    try client.send(bytes(Self.line) + payload[..<count])
                    if count < 1000 { client.shutdownWriting() }
                    let greeting = try client.receiveText(10)
                    try #require(greeting == "127.0.0.1:")
                    var answer: [UInt8] = []
                    while !answer.contains(0x0A) { answer += try client.receive(atMost: 1) }
                    let echoed = try client.receive(exactly: count)
                    try #require(echoed == Array(payload[..<count]))
                }
            }
        }
        #expect(log.entries.isEmpty)
    }

    @Test func aProtocolMayHandTheConnectionOverAtAnyTime() throws {
        final class Binary: Twill::Protocol {
            override func connectionMade() { transport.write("\(transport.peer.host):") }
            override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
        }
        final class Greeting: LineReceiver {
            override func lineReceived(_ line: Span<UInt8>) throws { try handOver(to: Binary()) }
        }
        final class AtOnce: Twill::Protocol {
            override func connectionMade() throws { try handOver(to: Binary(), unread: []) }
        }
        // A pause of the first holds what came with the header for the second.
        final class Paused: Twill::Protocol {
            override func connectionMade() throws {
                transport.pauseProducing()
                transport.callLater(.milliseconds(20)) { [weak self] in
                    guard let self else { return }
                    try handOver(to: Binary(), unread: [])
                    transport.resumeProducing()
                }
            }
        }
        let kinds: [(Factory, String)] = [
            (Factory { Greeting() }, "BINARY\r\n"), (Factory { AtOnce() }, ""), (Factory { Paused() }, ""),
            (TimeoutFactory(wrapping: DeadlineFactory(wrapping: Factory { Greeting() }, message: .seconds(60))), "BINARY\r\n"),
        ]
        for (inside, first) in kinds {
            let outside = TimeoutFactory(wrapping: try ProxyProtocolFactory(wrapping: inside, trusting: "127.0.0.1"))
            try withReactor(log: log) { reactor in
                let port = try reactor.listenTCP(port: 0, factory: outside, interface: "127.0.0.1").number
                reactor.runClient {
                    let client = try RawSocket(connectedTo: port)
                    try client.send(Self.line + first + "raw")
                    try client.expect("192.0.2.7:raw")
                    try client.send(" and more")
                    try client.expect(" and more")
                }
            }
        }
        #expect(log.entries.isEmpty)
    }

    @Test func whatThrowsIsLoggedUnderItsNameAndEndsTheConnection() throws {
        struct Mistake: Error {}
        let server = Recorder()
        server.whenMade = { _ in throw Mistake() }
        try run(OneConnectionFactory(server)) { port in
            let client = try RawSocket(connectedTo: port)
            try client.send(Self.line)
            try client.expectEnd()
        }
        try run(Factory { () -> Twill::Protocol in throw Mistake() }) { port in
            let client = try RawSocket(connectedTo: port)
            try client.send(Self.line)
            try client.expectEnd()
        }
        #expect(server.events == [.made, .lost(.failed)])
        #expect(log.entries == ["error: Recorder.connectionMade threw: Mistake()", "error: Factory.buildProtocol threw: Mistake()"])
    }

    @Test func aPortThatStopsServesThoseWhoseHeaderIsOnTheWay() throws {
        let inside = CountingFactory()
        let server = Recorder()
        final class Serving: WrappingFactory {
            private var only: Twill::Protocol?
            init(_ only: Twill::Protocol, wrapping: Factory) {
                self.only = only
                super.init(wrapping: wrapping)
            }
            override func buildProtocol(_ address: Address) -> Twill::Protocol? {
                defer { only = nil }
                return only
            }
        }
        try withReactor(log: log) { reactor in
            let factory = try ProxyProtocolFactory(wrapping: Serving(server, wrapping: inside), trusting: "127.0.0.1")
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                try client.send("PROXY ")
                return client
            } then: { client in
                reactor.when {
                    reactor.statistics.connections.bytesReceived == 6
                } then: {
                    port.stopListening()
                    reactor.afterTurns(3) {
                        #expect(inside.stops == 0)
                        reactor.runClient {
                            try client.send(String(Self.line.dropFirst(6)) + "hello")
                            client.shutdownWriting()
                            try client.expectEnd()
                        }
                    }
                }
            }
        }
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
        #expect(inside.starts == 1 && inside.stops == 1)
    }

    @Test func aReactorThatStopsEndsThoseWhoWaitInSilence() throws {
        let inside = CountingFactory()
        try withReactor(log: log) { reactor in
            let factory = try ProxyProtocolFactory(wrapping: inside, trusting: "127.0.0.1")
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send("PROXY ")
                return client
            } then: { client in
                reactor.when {
                    reactor.statistics.connections.bytesReceived == 6
                } then: {
                    withExtendedLifetime(client) { reactor.stop() }
                }
            }
        }
        #expect(inside.starts == 1 && inside.stops == 1)
        #expect(log.entries.isEmpty)
    }

    // Slow headers, as L2 of the catalogue has them: a byte now and then from many proxies gone wild.
    @Test func slowHeadersAreClosedAtTheirDeadline() throws {
        DescriptorLimit.raise()
        let count = 300
        let inside = CountingFactory()
        let start = ContinuousClock.now
        let factory = try run(inside, headerTimeout: .seconds(1)) { port in
            var clients = try (0..<count).map { _ in try RawSocket(connectedTo: port) }
            var isFirst = true
            while !clients.isEmpty {
                // Lines may have 107 bytes, and so none is over before its time.
                for client in clients { try? client.send(isFirst ? "PROXY UNKNOWN " : ".") }
                isFirst = false
                pauseThread(.milliseconds(100))
                clients.removeAll { $0.isClosedByPeer }
            }
        }
        #expect(factory.timedOut == count && factory.headersRefused == 0)
        #expect(ContinuousClock.now - start < .seconds(15))
    }

    @Test func clientsWithIPv6AddressesAreServed() throws {
        let client = "[2001:db8::7]:56324 to [2001:db8::1]:443\n"
        let headers = [
            bytes("PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 56324 443\r\n"), BinaryHeader(family: 0x21, addresses: BinaryHeader.ipv6).encoded,
        ]
        try run(Factory { Greeter() }) { port in
            for header in headers {
                let socket = try RawSocket(connectedTo: port)
                try socket.send(header)
                try socket.expect(client)
            }
        }
    }
}
