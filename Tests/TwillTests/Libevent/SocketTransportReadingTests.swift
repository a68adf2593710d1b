import Testing

@testable import Twill

@Suite("Reading from a connection", .nothingLivesOn)
struct SocketTransportReadingTests {
    /// Serves one raw client of this same thread.
    private func withClient(_ server: Recorder, _ body: (LibeventReactor, RawSocket) throws -> Void) throws {
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            let client = try RawSocket(connectedTo: port)
            try body(reactor, client)
        }
    }

    @Test func bytesArriveAsTheyWereSent() throws {
        let bytes = [UInt8]((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 13) })
        let server = Recorder()
        try withReactor { reactor in
            server.whenLost = { _, _ in reactor.stop() }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send(bytes)
                client.close()
            }
        }
        let isEqual = server.received == bytes
        #expect(isEqual)
        #expect(server.pieces.allSatisfy { (1...(256 << 10)).contains($0) })
        #expect(server.reason == .done)
    }

    @Test func aPausedConnectionDeliversNothingUntilItIsResumed() throws {
        let server = Recorder()
        server.whenMade = { $0.transport.pauseProducing() }
        server.whenData = { $0.transport.loseConnection() }
        try withClient(server) { reactor, client in
            try client.send("hello")
            server.whenLost = { _, _ in reactor.stop() }
            reactor.callLater(.milliseconds(20)) {
                #expect(server.events == [.made])
                server.transport.pauseProducing()
                server.transport.resumeProducing()
                server.transport.resumeProducing()
                #expect(server.events == [.made], "nothing is delivered inside the call")
            }
        }
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
    }

    @Test func pausingInsideACallbackHoldsBackWhatComesNext() throws {
        let server = Recorder()
        try withClient(server) { reactor, client in
            server.whenData = { server in
                server.transport.pauseProducing()
                try client.send(server.received.count == 1 ? "b" : "c")
                reactor.callLater(.milliseconds(5)) { [count = server.received.count] in
                    #expect(server.received.count == count)
                    if count == 3 { server.transport.loseConnection() } else { server.transport.resumeProducing() }
                }
            }
            server.whenLost = { _, _ in reactor.stop() }
            try client.send("a")
        }
        #expect(server.text == "abc")
    }

    @Test func aPausedConnectionCanStillWriteAndClose() throws {
        let server = Recorder()
        server.whenMade = {
            $0.transport.pauseProducing()
            $0.transport.write("hello")
            $0.transport.loseConnection()
            $0.transport.resumeProducing()
        }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send("never delivered")
                try #require(client.receiveToEnd() == Array("hello".utf8))
            }
        }
        #expect(server.events == [.made, .lost(.done)])
    }

    @Test func nothingIsDeliveredAfterLosingTheConnectionThoughItIsThere() throws {
        let server = Recorder()
        try withClient(server) { reactor, client in
            server.whenData = {
                try client.send("second")
                $0.transport.loseConnection()
                $0.transport.resumeProducing()
            }
            server.whenLost = { _, _ in reactor.afterTurns(5) { reactor.stop() } }
            try client.send("first")
        }
        #expect(server.events == [.made, .data("first"), .lost(.done)])
    }

    @Test(arguments: [false, true])
    func nothingIsDeliveredAfterClosingAConnectionThatBroke(byAborting: Bool) throws {
        let server = Recorder()
        try withClient(server) { reactor, client in
            server.whenData = { server in
                try client.send("second")
                client.reset()
                // Sending fails now; what the peer said before could still be delivered, but nobody wants it any more.
                for _ in 0..<3 { server.transport.write([UInt8](repeating: 1, count: 40_000)) }
                if byAborting { server.transport.abortConnection() } else { server.transport.loseConnection() }
                #expect(server.transport.state == .disconnecting)
            }
            server.whenLost = { _, _ in reactor.afterTurns(5) { reactor.stop() } }
            try client.send("first")
        }
        #expect(server.text == "first")
        #expect(server.lossCount == 1)
        #expect(server.reason == .lost || server.reason == .aborted)
    }

    @Test func theEndOfThePeersInputEndsTheConnection() throws {
        let server = Recorder()
        try withClient(server) { reactor, client in
            server.whenLost = { _, _ in reactor.afterTurns(3) { reactor.stop() } }
            try client.send("last words")
            client.close()
        }
        #expect(server.events == [.made, .data("last words"), .lost(.done)])
    }

    @Test func aResetOfThePeersBreaksTheConnection() throws {
        let server = Recorder()
        try withClient(server) { reactor, client in
            server.whenLost = { _, _ in reactor.afterTurns(3) { reactor.stop() } }
            server.whenMade = { _ in client.reset() }
        }
        #expect(server.events == [.made, .lost(.lost)])
        let error = server.reason?.underlying as? SystemError
        #expect(error?.message.contains("reset") == true)
    }
}
