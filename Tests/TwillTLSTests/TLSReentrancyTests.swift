import CCertificates
import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// What is written while something else is under way: nothing is lost, overtaken, or sent to somebody else.
@Suite(.nothingLivesOn) struct TLSReentrancyTests {
    @Test("what a producer writes to another connection when it is told to pause goes to that one")
    func aPausedProducerWritesToAnotherConnection() throws {
        let reactor = SimulatedReactor()
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        let (busy, reader, other, watcher) = (Recorder(), Recorder(), Recorder(), Recorder())
        let busyWire = try TLSWire(reactor, server: busy, client: reader, serverContext: serverContext, clientContext: clientContext)
        let otherWire = try TLSWire(reactor, server: other, client: watcher, serverContext: serverContext, clientContext: clientContext)
        try busyWire.carry()
        try otherWire.carry()
        let producer = Complaining { other.transport.write("for the watcher alone") }
        busy.whenData = { busy in
            busy.transport.waterMarks = WaterMarks(low: 0, high: 1000, limit: 1 << 20)
            try busy.transport.registerProducer(producer, streaming: true)
            busyWire.serverEnd.room = 0
            for _ in 0..<3 { busy.transport.write([UInt8](repeating: 0x61, count: 10_000)) }
            busy.transport.unregisterProducer()
            busyWire.serverEnd.take(100_000)
        }
        reader.transport.write("go")
        reader.transport.tls?.workspace.flush()
        try busyWire.carry()
        try otherWire.carry()
        #expect(reader.received == [UInt8](repeating: 0x61, count: 30_000))
        #expect(watcher.text == "for the watcher alone")
        try busyWire.finish()
        try otherWire.finish()
    }

    @Test("TLS goes over TLS")
    func tlsOverTLS() throws {
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        let (server, client) = (Recorder(), Recorder())
        let pieces = (0..<7).map { [UInt8](repeating: UInt8($0), count: 10_000) }
        server.whenMade = { server in
            for piece in pieces { server.transport.write(piece) }
            server.transport.loseConnection()
        }
        try withReactor { reactor in
            let inside = TLSServerFactory(wrapping: Factory { [unowned server] _ in server }, context: serverContext)
            let port = try reactor.listenTCP(
                port: 0, factory: TLSServerFactory(wrapping: inside, context: serverContext), interface: "127.0.0.1")
            let innerClient = TLSClientFactory(wrapping: OneClient(client), context: clientContext, serverName: "localhost")
            try reactor.connectTCP(
                host: "127.0.0.1", port: port.number,
                factory: TLSClientFactory(wrapping: innerClient, context: clientContext, serverName: "localhost"))
            client.whenLost = { [unowned reactor] _, _ in
                reactor.when {
                    server.lossCount > 0 && reactor.openCount == 0
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
        }
        #expect(client.received == Array(pieces.joined()))
        #expect(client.reason == .done)
    }

    /// Begins TLS as soon as it is connected, writes something, and does something else when the handshake is over.
    private final class Early: Recorder, TLSHandshakeListener {
        var whenSecure: (Transport) throws -> Void = { _ in }

        func handshakeCompleted() throws { try whenSecure(transport) }
    }

    /// A server that writes "early" during a handshake that began in the middle, and what its client gets.
    private func early(_ whenSecure: @escaping (Transport) throws -> Void) throws -> (server: Early, client: Recorder) {
        let reactor = SimulatedReactor()
        let (server, client) = (Early(), Recorder())
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        server.whenMade = { server in
            try server.startTLS(serverContext)
            server.transport.write("early")
        }
        client.whenMade = { try $0.startTLS(clientContext, serverName: "localhost") }
        server.whenSecure = whenSecure
        let wire = try TLSWire(reactor, server: server, client: client)
        try wire.finish()
        server.whenSecure = { _ in }
        return (server, client)
    }

    @Test("X03: what handshakeCompleted writes does not overtake what was written before, however long it is")
    func handshakeCompletedOvertakesNothing() throws {
        let long = [UInt8](repeating: 0x2E, count: 20_000)
        let (_, client) = try early { $0.write(long) }
        #expect(client.received == Array("early".utf8) + long)
    }

    @Test("X03: a connection that handshakeCompleted closes sends first what was written before")
    func handshakeCompletedClosesInGoodOrder() throws {
        let (server, client) = try early { $0.loseConnection() }
        #expect(client.text == "early")
        #expect(server.reason == .done)
    }

    @Test("X09: what handshakeCompleted aborts sends nothing of what was written before")
    func handshakeCompletedAborts() throws {
        let (_, client) = try early { $0.abortConnection() }
        #expect(client.text == "")
    }

    @Test("a producer that paused because the handshake was not over is resumed after it")
    func aProducerIsResumedAfterTheHandshake() throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        let producer = Counting()
        server.whenMade = { server in
            try server.startTLS(serverContext)
            try server.transport.registerProducer(producer, streaming: true)
            server.transport.write([UInt8](repeating: 0x2E, count: 100_000))
        }
        client.whenMade = { try $0.startTLS(clientContext, serverName: "localhost") }
        let wire = try TLSWire(reactor, server: server, client: client)
        #expect(producer.calls == ["pause"])
        try wire.carry()
        #expect(client.received.count == 100_000)
        #expect(producer.calls == ["pause", "resume"])
        try wire.finish()
    }

    /// A client that has shaken hands, and the server's ticket that is on its way to it: it does not fit into one record.
    private func bigTicket(_ reactor: SimulatedReactor, _ server: Recorder, _ client: Recorder) throws -> (TLSWire, [UInt8]) {
        // It has the client's certificate in it.
        let names = (0..<900).map { "DNS:host-number-\($0).example.test" }.joined(separator: ",")
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.names = names }.identity()
        let roots = try TestCertificate.authority.get().roots
        let wire = try TLSWire(
            reactor, server: server, client: client, serverContext: .test { $0.clientCertificates = .required(roots) },
            clientContext: .test { $0.identity = identity })
        var toServer = try wire.takeFromClient()
        var toClient: [UInt8] = []
        while server.events.isEmpty {
            try wire.serverEnd.receive(toServer)
            toClient = try wire.takeFromServer()
            if server.events.isEmpty {
                try wire.clientEnd.receive(toClient)
                toServer = try wire.takeFromClient()
            }
        }
        #expect(client.events == [.made])
        return (wire, toClient)
    }

    /// The length of the first record.
    private func record(_ bytes: [UInt8]) -> Int { 5 + Int(bytes[3]) << 8 + Int(bytes[4]) }

    @Test("what is written while a message of TLS's own has half arrived is sent when the rest has", arguments: [false, true])
    func writingInTheMiddleOfATicket(_ closes: Bool) throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let (wire, ticket) = try bigTicket(reactor, server, client)
        let half = record(ticket)
        #expect(half < ticket.count)
        try wire.clientEnd.receive(Array(ticket[..<half]))
        for text in ["hello", ", again"] {
            client.transport.write(text)
            client.transport.tls?.workspace.flush()
        }
        if closes { client.transport.loseConnection() }
        #expect(try wire.takeFromClient() == [], "OpenSSL writes nothing before it has the rest")
        try wire.clientEnd.receive(Array(ticket[half...]))
        try wire.carry()
        #expect(server.text == "hello, again")
        try wire.finish()
        if closes { #expect(server.reason == .done) }
    }

    @Test("what waits for the rest of a message of TLS's own stays in order, whatever its sizes")
    func whatIsBlockedStaysInOrder() throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let (wire, ticket) = try bigTicket(reactor, server, client)
        try wire.clientEnd.receive(Array(ticket[..<record(ticket)]))
        let sizes = [10_000, 10_000, 10, 40_000, 5_000, 90_000, 1]
        let pieces = sizes.enumerated().map { number, size in [UInt8](repeating: UInt8(number), count: size) }
        for first in [0, 3] { for piece in pieces[first...] { client.transport.write(piece) } }
        try wire.clientEnd.receive(Array(ticket[record(ticket)...]))
        try wire.carry()
        #expect(server.received == Array((pieces + pieces[3...]).joined()))
        try wire.finish()
    }

    @Test("what another user of OpenSSL has left behind does not make a bad end of a good one")
    func anErrorOfSomebodyElsesIsNone() throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let wire = try TLSWire(reactor, server: server, client: client, serverContext: .test(), clientContext: .test())
        try wire.carry()
        client.transport.loseConnection()
        test_leave_error()
        try wire.finish()
        #expect(server.reason == .done, "\(String(describing: server.reason?.underlying))")
    }

    @Test("who closes waits ten seconds for the rest of a message that has half arrived")
    func closingInTheMiddleOfATicket() throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let (wire, ticket) = try bigTicket(reactor, server, client)
        try wire.clientEnd.receive(Array(ticket[..<record(ticket)]))
        client.transport.write("hello")
        client.transport.loseConnection()
        try reactor.run(for: .seconds(9))
        #expect(wire.clientEnd.state == .connected)
        try reactor.run(for: .seconds(2))
        #expect(wire.clientEnd.state == .disconnecting)
        try wire.finish()
        #expect(client.reason == .timedOut)
    }

    @Test("who ends while a message of TLS's own has half arrived says so when the rest has", arguments: [false, true])
    func endingInTheMiddleOfATicket(_ isHalf: Bool) throws {
        let reactor = SimulatedReactor()
        let (server, client) = (HalfCloseableRecorder(), Recorder())
        let (wire, ticket) = try bigTicket(reactor, server, client)
        try wire.clientEnd.receive(Array(ticket[..<record(ticket)]))
        if isHalf { client.transport.loseWriteConnection() } else { client.transport.loseConnection() }
        try reactor.run(for: .milliseconds(1))
        try wire.clientEnd.receive(Array(ticket[record(ticket)...]))
        try wire.carry()
        #expect(server.events == [.made, .readLost])
        try wire.finish()
    }

    @Test("a write that fails leaves no error for another user of OpenSSL")
    func aFailureLeavesNoErrorBehind() throws {
        let client = Recorder()
        client.whenMade = { client in
            let engine = try #require(client.transport.tls?.engine)
            engine.end()
            client.transport.tls?.workspace.dropOutput()
            let isEncrypted = engine.encrypt([1].span)
            #expect(!isEncrypted)
            #expect(engine.isBroken)
            #expect(test_has_error() == 0)
            client.transport.abortConnection()
        }
        try TLSPair(client: client)
    }

    @Test("T5: a peer whose bytes end without the end of TLS is not written to for ever")
    func truncationStopsAPushProducer() throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let wire = try TLSWire(reactor, server: server, client: client, serverContext: .test(), clientContext: .test())
        try wire.carry()
        let producer = Counting()
        try server.transport.registerProducer(producer, streaming: true)
        try wire.serverEnd.closePeersHalf()
        #expect(producer.calls == ["stop"])
        try wire.finish()
        #expect(server.reason?.underlying is TLSTruncated)
    }

    @Test("a handshake goes on that had to wait, though the protocol has paused or has closed", arguments: [false, true])
    func aHandshakeThatHadToWaitGoesOn(_ closes: Bool) throws {
        let reactor = SimulatedReactor()
        let (server, client) = (Recorder(), Recorder())
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        server.whenMade = { server in
            try server.startTLS(serverContext)
            server.transport.write("early")
            if closes { server.transport.loseConnection() } else { server.transport.pauseProducing() }
        }
        client.whenMade = { try $0.startTLS(clientContext, serverName: "localhost") }
        let wire = try TLSWire(reactor, server: server, client: client)
        let hello = try wire.takeFromClient()
        let workspace = TLSWorkspace.of(reactor)
        while workspace.takeStep(on: reactor) {}
        try wire.serverEnd.receive(hello)
        try wire.carry()
        #expect(client.text == "early")
        try wire.finish()
    }
}

/// A producer that says something when it is told to pause.
private final class Complaining: Producer {
    private let complain: () -> Void

    init(_ complain: @escaping () -> Void) {
        self.complain = complain
    }

    func pauseProducing() { complain() }
    func resumeProducing() {}
    func stopProducing() {}
}

/// A producer that counts what it is told.
private final class Counting: Producer {
    private(set) var calls: [String] = []

    func pauseProducing() { calls.append("pause") }
    func resumeProducing() { calls.append("resume") }
    func stopProducing() { calls.append("stop") }
}
