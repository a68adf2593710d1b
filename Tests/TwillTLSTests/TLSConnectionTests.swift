import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// What a protocol sees of a connection that is encrypted. Cases that stand in the catalogue carry the number of their row.
@Suite(.nothingLivesOn) struct TLSConnectionTests {
    @Test func aConversationIsEncryptedAndClosedInGoodOrder() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenData = { $0.transport.write("you said: \($0.text)") }
        client.whenMade = { $0.transport.write("hello") }
        client.whenData = { $0.transport.loseConnection() }
        let pair = try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
        #expect(client.events == [.made, .data("you said: hello"), .lost(.done)])
        #expect(pair.log.entries == [])
    }

    @Test("X01: connectionMade comes after the handshake, when the peer is known")
    func connectionMadeComesAfterTheHandshake() throws {
        let (server, client) = (Recorder(), Recorder())
        var seen: [String] = []
        server.whenMade = { server in
            let tls = try #require(server.transport.tls)
            seen.append("server \(tls.version) \(tls.serverName ?? "-") \(tls.peerCertificate?.subject ?? "-")")
        }
        client.whenMade = { client in
            let tls = try #require(client.transport.tls)
            seen.append("client \(tls.version) \(tls.peerCertificate?.subject ?? "-")")
            client.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(seen.sorted() == ["client TLS 1.3 CN=localhost,O=Twill tests", "server TLS 1.3 localhost -"])
    }

    @Test("X02: what is written after losing the connection is dropped")
    func whatIsWrittenAfterLosingIsDropped() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = {
            $0.transport.write("before")
            $0.transport.loseConnection()
            $0.transport.write("after")
        }
        try TLSPair(server: server, client: client)
        #expect(client.events == [.made, .data("before"), .lost(.done)])
    }

    @Test("X05: a peer that does not answer the end is waited for no longer than the linger timeout")
    func theWaitForThePeersEndIsBounded() throws {
        var options = TransportOptions()
        options.lingerTimeout = .milliseconds(100)
        let (server, client) = (Recorder(), Recorder())
        var began: ReactorClock.Instant?
        var told: Duration?
        var openWhileLingering = -1
        var openAfterLinger = -1
        server.whenMade = { server in
            began = server.transport.reactor.now
            server.transport.loseConnection()
        }
        server.whenLost = { server, _ in
            let reactor = server.transport.reactor
            told = began?.duration(to: reactor.now)
            reactor.callLater(.milliseconds(30)) { [unowned reactor] in openWhileLingering = (reactor as? LibeventReactor)?.openCount ?? 0 }
        }
        // The client's system takes the end, and the client does not look at it.
        client.whenMade = { client in
            let transport = client.transport
            transport.tls?.inner.pauseProducing()
            transport.reactor.callLater(.milliseconds(400)) { transport.tls?.inner.resumeProducing() }
        }
        try TLSPair(server: server, client: client, serverOptions: options) { reactor in
            reactor.callLater(.milliseconds(350)) { openAfterLinger = reactor.openCount }
        }
        #expect(server.reason == .done)
        #expect(client.reason == .done)
        #expect(try #require(told) < .milliseconds(100), "the protocol is told when its last word has left")
        #expect(openWhileLingering == 2, "the server's socket waits for the client's end")
        #expect(openAfterLinger == 1, "the server's socket is closed, the client's is not")
    }

    @Test("X07, T5: the end of the bytes without the end of TLS is a loss with a type of its own")
    func truncationIsAnErrorOfItsOwnType() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { $0.transport.write("half of ") }
        client.whenData = { $0.transport.tls?.inner.loseConnection() }
        try TLSPair(server: server, client: client)
        #expect(server.reason == .lost)
        #expect(server.reason?.underlying is TLSTruncated)
    }

    @Test("T5: a half-closeable protocol is not told of a last word that TLS did not say")
    func truncationIsNoLastWord() throws {
        let server = HalfCloseableRecorder()
        let client = Recorder()
        client.whenMade = { $0.transport.tls?.inner.loseConnection() }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .lost(.lost)])
        #expect(server.reason?.underlying is TLSTruncated)
    }

    @Test("T5: what came with the peer's end is delivered before it")
    func dataAndEndInOneSegmentArriveInOrder() throws {
        let (server, client) = (Recorder(), Recorder())
        let tail = [UInt8](repeating: 7, count: 5000)
        client.whenMade = {
            $0.transport.write(tail)
            $0.transport.write([8])
            $0.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(server.received == tail + [8])
        #expect(server.reason == .done)
    }

    @Test("T5: a reset after the peer's end is no truncation")
    func aResetAfterTheEndIsNoTruncation() throws {
        let (server, client) = (HalfCloseableRecorder(), Recorder())
        client.whenMade = { client in
            client.transport.loseWriteConnection()
            client.transport.reactor.callLater(.milliseconds(20)) { client.transport.abortConnection() }
        }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .readLost, .lost(.lost)])
        #expect(!(server.reason?.underlying is TLSTruncated))
    }

    @Test("T5: either half closes by itself")
    func halvesCloseByThemselves() throws {
        let (server, client) = (HalfCloseableRecorder(), HalfCloseableRecorder())
        client.whenMade = {
            $0.transport.write("question")
            $0.transport.loseWriteConnection()
        }
        server.whenReadLost = {
            $0.transport.write("answer to \($0.text)")
            $0.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .data("question"), .readLost, .lost(.done)])
        #expect(client.events == [.made, .writeLost, .data("answer to question"), .lost(.done)])
    }

    @Test("X09: aborting as soon as the handshake is over lets nothing reach the peer")
    func abortingInConnectionMadeSendsNothing() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = {
            $0.transport.write("secret")
            $0.transport.abortConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .lost(.aborted)])
        #expect(client.received == [])
        #expect(client.reason == .lost)
    }

    @Test("X10: a pull producer is asked until it is through, and the connection waits for it")
    func aPullProducerIsAskedToItsEnd() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { server in
            try server.transport.registerProducer(Pieces(100, to: server.transport), streaming: false)
            server.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(client.received == (0..<100).map { UInt8($0) })
        #expect(client.reason == .done)
    }

    @Test("X13: what one callback writes is one record, and leaves once", arguments: [false, true])
    func smallWritesAreGathered(outsideOfItsOwnCallbacks: Bool) throws {
        let (server, client) = (Recorder(), Recorder())
        var (before, after) = (0, 0)
        func writeMuch(_ transport: Transport) {
            before = transport.reactor.statistics.connections.bytesSent
            for number in 0..<100 { transport.write([UInt8(number)]) }
        }
        client.whenMade = { client in
            let transport = client.transport
            // When the server has sent its tickets.
            transport.callLater(.milliseconds(30)) { if outsideOfItsOwnCallbacks { writeMuch(transport) } else { transport.write("go") } }
        }
        client.whenData = { writeMuch($0.transport) }
        server.whenData = { server in
            if server.text == "go" { return server.transport.write("on") }
            after = server.transport.reactor.statistics.connections.bytesSent
            server.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(after - before == 100 + 22, "a record has 22 bytes around its content")
    }

    @Test("X13, T8: much is sent in records of 16 KiB, and few more bytes than there are")
    func bulkIsSentInFullRecords() throws {
        let (server, client) = (Recorder(), Recorder())
        let much = [UInt8](repeating: 0x2E, count: 4 << 20)
        client.whenMade = {
            $0.transport.write(much)
            $0.transport.loseConnection()
        }
        var sent = 0
        try TLSPair(server: server, client: client) { reactor in
            reactor.when {
                client.lossCount > 0
            } then: {
                sent = reactor.statistics.connections.bytesSent
            }
        }
        #expect(server.received == much)
        // 22 bytes for each record, and the handshake.
        #expect(sent < much.count + (much.count / 16384 + 1) * 22 + 8000)
    }

    @Test("X15: nothing is agreed on where nobody asks, and the first of the server's where both do")
    func theApplicationProtocolIsAgreedOn() throws {
        for (ours, theirs, agreed) in [
            ([], [], nil), (["a"], [], nil), ([], ["a"], nil), (["a", "b"], ["b", "a"], "a"), (["c", "b"], ["a", "b"], "b"),
        ] as [([String], [String], String?)] {
            let (server, client) = (Recorder(), Recorder())
            var seen: [String?] = []
            server.whenMade = { seen.append($0.transport.tls?.applicationProtocol) }
            client.whenMade = { client in
                seen.append(client.transport.tls?.applicationProtocol)
                client.transport.loseConnection()
            }
            try TLSPair(
                server: server, client: client, serverContext: .test { $0.applicationProtocols = ours },
                clientContext: .test { $0.applicationProtocols = theirs })
            #expect(seen == [agreed, agreed], "\(ours) and \(theirs)")
        }
    }

    @Test("T12: what is written after closing one's own half is dropped, what was written before arrives")
    func whatIsWrittenAfterClosingOnesHalfIsDropped() throws {
        let (server, client) = (HalfCloseableRecorder(), HalfCloseableRecorder())
        server.whenMade = {
            $0.transport.write("a")
            $0.transport.loseWriteConnection()
            $0.transport.write("b")
        }
        server.whenWriteLost = { $0.transport.write("c") }
        client.whenReadLost = { $0.transport.write("still heard") }
        server.whenData = { server in
            server.transport.write("d")
            server.transport.loseConnection()
        }
        server.whenLost = { [unowned client] _, _ in client.transport.loseConnection() }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .writeLost, .data("still heard"), .lost(.done)])
        #expect(client.events == [.made, .data("a"), .readLost, .lost(.done)])
    }

    @Test("T13: nothing is delivered until reading is resumed, and not inside of that call")
    func nothingIsDeliveredWhileReadingIsPaused() throws {
        let (server, client) = (Recorder(), Recorder())
        client.whenMade = { $0.transport.write("hello") }
        server.whenMade = { server in
            server.transport.pauseProducing()
            server.transport.callLater(.milliseconds(50)) {
                #expect(server.events == [.made])
                server.transport.resumeProducing()
                #expect(server.events == [.made])
            }
        }
        server.whenData = { $0.transport.loseConnection() }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
    }

    @Test("P12: what was written right before the stop still leaves")
    func whatWasWrittenBeforeTheStopLeaves() throws {
        let (server, client) = (Recorder(), Recorder())
        var (before, after) = (0, 0)
        try TLSPair(server: server, client: client) { reactor in
            client.whenMade = { [unowned reactor] client in
                reactor.callLater(.milliseconds(20)) { [unowned reactor, unowned client] in
                    before = reactor.statistics.connections.bytesSent
                    client.transport.write("goodbye")
                    reactor.stop()
                }
            }
            reactor.addSystemEventTrigger(.after, .shutdown) { [unowned reactor] in after = reactor.statistics.connections.bytesSent }
        }
        #expect(after - before >= 7 + 22)
    }

    @Test func whatIsWrittenOutsideOfItsOwnCallbacksLeavesToo() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { server in
            let transport = server.transport
            transport.reactor.callLater(.milliseconds(1)) {
                transport.write("one ")
                transport.write("piece")
            }
        }
        client.whenData = { $0.transport.loseConnection() }
        try TLSPair(server: server, client: client)
        #expect(client.events == [.made, .data("one piece"), .lost(.done)])
    }

    @Test func anErrorOfACallbackClosesTheConnectionAndIsTheReason() throws {
        struct Refusal: Error {}
        let (server, client) = (Recorder(), Recorder())
        server.whenData = { _ in throw Refusal() }
        client.whenMade = { $0.transport.write("hello") }
        let pair = try TLSPair(server: server, client: client)
        #expect(server.reason == .failed)
        #expect(server.reason?.underlying is Refusal)
        #expect(client.reason == .done)
        #expect(pair.log.entries == ["error: Recorder.dataReceived threw: Refusal()"])
    }

    @Test func descriptorsCanNotBePassed() throws {
        let (server, client) = (Recorder(), Recorder())
        client.whenMade = { client in
            #expect(throws: DescriptorPassingError.notUNIX) { try client.transport.write([1].span, passing: [0]) }
            client.transport.loseConnection()
        }
        try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .lost(.done)])
    }

    @Test func aStoppedReactorEndsConnectionsInEveryState() throws {
        let (server, client) = (Recorder(), Recorder())
        client.whenMade = { $0.transport.reactor.stop() }
        let pair = try TLSPair(server: server, client: client)
        #expect(client.events == [.made, .lost(.reactorStopped)])
        #expect(server.events.isEmpty || server.events == [.made, .lost(.reactorStopped)])
        #expect(pair.log.entries == [], "a stop of this side's own is nobody's failure")
    }
}

/// Writes so many bytes, one for each time that it is asked.
private final class Pieces: Producer {
    private var next: UInt8 = 0
    private let count: UInt8
    private let transport: Transport

    init(_ count: UInt8, to transport: Transport) {
        self.count = count
        self.transport = transport
    }

    func resumeProducing() {
        transport.write([next])
        next += 1
        if next == count { transport.unregisterProducer() }
    }

    func stopProducing() {}
}
