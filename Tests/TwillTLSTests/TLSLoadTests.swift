import Testing

@testable import Twill
@testable import TwillTLS

/// T7 and T8: crowds that shake hands, and peers that don't read.
@Suite(.nothingLivesOn) struct TLSLoadTests {
    @Test("T7: a crowd that shakes hands does not hold up a connection that is made")
    func aCrowdDoesNotHoldUpOthers() throws {
        // Keys of RSA, because signing by them takes longest.
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.rsaBits = 2048 }.identity()
        let context = try TLSServerContext.test(identity)
        let clientContext = try TLSClientContext.test { $0.resumesSessions = false }
        let crowd = 150
        var made = 0
        var stepsPerAnswer: [Int] = []
        try withReactor(deadline: .seconds(60)) { reactor in
            let factory = TLSServerFactory(wrapping: Factory { Answering() }, context: context)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            func connect(_ client: Recorder) throws {
                try reactor.connectTCP(
                    host: "127.0.0.1", port: port.number,
                    factory: TLSClientFactory(wrapping: OneClient(client), context: clientContext, serverName: "localhost"))
            }
            // The canary asks again as soon as it is answered: how many handshakes were completed meanwhile says how long it had to wait.
            let canary = Recorder()
            var completedBefore = 0
            canary.whenMade = { canary in
                for _ in 0..<crowd {
                    let client = Recorder()
                    client.whenMade = { [unowned reactor] client in
                        made += 1
                        client.transport.loseConnection()
                        if made == crowd { reactor.stop() }
                    }
                    try connect(client)
                }
                canary.transport.write("a")
            }
            canary.whenData = { canary in
                stepsPerAnswer.append(factory.completedCount - completedBefore)
                completedBefore = factory.completedCount
                canary.transport.write("a")
            }
            try connect(canary)
        }
        #expect(made == crowd)
        // 16 a turn, and an answer takes a turn there and one back; not the whole crowd.
        #expect((stepsPerAnswer.max() ?? crowd) <= 64, "\(stepsPerAnswer.max() ?? 0)")
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
