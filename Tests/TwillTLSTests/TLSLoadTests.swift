import CCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// T7 and T8: crowds that shake hands, and peers that don't read.
@Suite(.nothingLivesOn) struct TLSLoadTests {
    /// An end of a connection, whose protocol is one of the factory's.
    private func end(_ factory: Factory, _ reactor: SimulatedReactor) throws -> StringTransport {
        let transport = StringTransport(reactor: reactor)
        if let made = try factory.buildProtocol(.unknown) { try transport.connect(made) }
        return transport
    }

    @Test("T7: no more than 16 handshakes take a step on one turn, and the others are held up by no more than that")
    func aCrowdTakesTurns() throws {
        let reactor = SimulatedReactor()
        let server = TLSServerFactory(wrapping: Factory { Answering() }, context: try .test())
        let client = TLSClientFactory(wrapping: Factory { Answering() }, context: try .test(), serverName: "localhost")
        let crowd = 40
        var clients: [StringTransport] = []
        var servers: [StringTransport] = []
        for _ in 0..<crowd {
            clients.append(try end(client, reactor))
            servers.append(try end(server, reactor))
        }
        for (client, server) in zip(clients, servers) { try server.receive(client.bytes) }
        let answeredAtOnce = servers.filter { !$0.bytes.isEmpty }.count
        #expect(answeredAtOnce == 16)
        for _ in 0..<10 { try reactor.run(for: .milliseconds(1)) }
        let answered = servers.filter { !$0.bytes.isEmpty }.count
        #expect(answered == crowd)
        for transport in clients + servers where transport.state != .disconnected { transport.lose() }
    }

    /// A client that changes its keys so many times at once, and then greets.
    private func changeKeys(_ count: Int) throws -> TLSPair {
        let (server, client) = (Recorder(), Recorder())
        server.whenData = { if $0.text.hasSuffix("hello") { $0.transport.loseConnection() } }
        client.whenMade = { client in
            let tls = try #require(client.transport.tls)
            #expect(unsafe test_change_keys(UnsafeMutableRawPointer(tls.engine.ssl), CInt(count)) == 1)
            tls.workspace.takeOutput { tls.inner.write($0) }
            client.transport.write("hello")
        }
        return try TLSPair(server: server, client: client)
    }

    @Test("T6: who changes keys without end is refused before that costs much")
    func aFloodOfNewKeysIsRefused() throws {
        let often = try changeKeys(32)
        #expect(often.server.text == "hello")
        #expect(often.server.reason == .done)
        let tooOften = try changeKeys(33)
        #expect(tooOften.server.text == "")
        #expect(
            tooOften.server.reason?.underlying.map { "\($0)" }
                == "the peer has changed its keys, or sent tickets, more than 32 times in a row", "\(tooOften.server.events)")
    }

    @Test("T6: a word after each change of keys does not make a flood of them cheaper")
    func aFloodOfNewKeysWithWordsBetweenIsRefused() throws {
        let (server, client) = (Recorder(), Recorder())
        client.whenMade = { client in
            let tls = try #require(client.transport.tls)
            for _ in 0..<40 {
                #expect(unsafe test_change_keys(UnsafeMutableRawPointer(tls.engine.ssl), 1) == 1)
                tls.workspace.takeOutput { tls.inner.write($0) }
                tls.encrypt([0x2E].span)
            }
            client.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(server.reason?.underlying as? TLSError == .badRecord, "\(server.events)")
    }

    /// Writes blocks for as long as nobody tells it to pause.
    private final class Source: Producer {
        private(set) var pauses = 0
        private(set) var most = 0
        private var isPaused = false
        private let transport: Transport
        static let block = [UInt8](repeating: 0x2E, count: 10_000)

        init(_ transport: Transport) {
            self.transport = transport
        }

        func begin() {
            // More than any system takes for a peer that does not read.
            for _ in 0..<5000 where !isPaused {
                transport.write(Self.block)
                most = max(most, transport.bufferedByteCount)
            }
        }

        func pauseProducing() {
            isPaused = true
            pauses += 1
        }

        func resumeProducing() { isPaused = false }
        func stopProducing() {}
    }

    @Test("T8, L3: a peer that does not read pauses the producer, and what waits is bounded")
    func aSlowReaderPausesTheProducer() throws {
        let (server, client) = (Recorder(), Recorder())
        var source: Source?
        server.whenMade = { server in
            let made = Source(server.transport)
            source = made
            try server.transport.registerProducer(made, streaming: true)
            made.begin()
            server.transport.callLater(.milliseconds(50)) {
                server.transport.abortConnection()
            }
        }
        client.whenMade = { $0.transport.pauseProducing() }
        client.whenLost = { client, _ in #expect(client.received == []) }
        try TLSPair(server: server, client: client)
        #expect(source?.pauses == 1)
        #expect(try #require(source).most <= (64 << 10) + 2 * (Source.block.count + 100) + TLSWorkspace.recordBytes)
        #expect(server.reason == .aborted)
    }

    @Test("T8: more unsent bytes than the limit abort the connection, those of a handshake that does not end among them")
    func theLimitHoldsDuringTheHandshake() throws {
        let (server, client) = (Recorder(), Recorder())
        let context = try TLSServerContext.test()
        server.whenMade = { server in
            server.transport.waterMarks.limit = 100_000
            try server.startTLS(context)
            for _ in 0..<11 { server.transport.write([UInt8](repeating: 1, count: 10_000)) }
        }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned server] _ in server }, interface: "127.0.0.1")
            client.whenLost = { [unowned reactor] _, _ in
                reactor.when {
                    server.lossCount > 0
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneClient(client))
        }
        #expect(server.events == [.made, .lost(.unsentLimit)])
        #expect(client.received == [])
    }
}
