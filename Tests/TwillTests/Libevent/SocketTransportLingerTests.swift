import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Ending with a peer that is slow, rude or gone", .nothingLivesOn)
struct SocketTransportLingerTests {
    private let reply = [UInt8](repeating: 0x2E, count: 3_000_000)

    /// Serves one raw client on another thread; the reactor stops when both are through.
    private func serve(
        _ server: Recorder, options: TransportOptions = TransportOptions(), client: @escaping @Sendable (RawSocket) throws -> Void
    ) throws {
        try withReactor { reactor in
            let left = Counter()
            func oneIsThrough() { if left.add() == 2 { reactor.afterTurns(3) { reactor.stop() } } }
            server.whenLost = { _, _ in oneIsThrough() }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1", options: options)
                .number
            reactor.inBackground {
                let socket = try RawSocket(connectedTo: port)
                try client(socket)
                socket.close()
            } then: {
                oneIsThrough()
            }
        }
    }

    @Test func closingWithUnreadInputStillDeliversEverything() throws {
        let server = Recorder()
        let reply = reply
        server.whenMade = { server in
            server.transport.pauseProducing()
            // Long enough for the client's bytes to be there, unread, when the socket is closed.
            server.transport.reactor.callLater(.milliseconds(30)) {
                server.transport.write(reply)
                server.transport.loseConnection()
            }
        }
        try serve(server) { client in
            try client.send([UInt8](repeating: 1, count: 100_000))
            pauseThread(.milliseconds(60))
            let received = try client.receiveToEnd()
            try #require(received.count == reply.count)
        }
        #expect(server.events == [.made, .lost(.done)])
    }

    @Test func aPeerThatGoesOnTalkingToAClosedConnectionGetsEverything() throws {
        let server = Recorder()
        let reply = reply
        server.whenData = {
            $0.transport.write(reply)
            $0.transport.loseConnection()
        }
        try serve(server) { client in
            try client.send("first")
            _ = try client.receive(exactly: 10)
            for _ in 0..<20 { try client.send("more and more") }
            let received = try client.receiveToEnd()
            try #require(received.count == reply.count - 10)
        }
        #expect(server.events == [.made, .data("first"), .lost(.done)])
    }

    @Test func aClosedConnectionIsHeldForThePeerForALimitedTime() throws {
        var options = TransportOptions()
        options.lingerTimeout = .milliseconds(100)
        let server = Recorder()
        server.whenMade = { server in
            server.transport.pauseProducing()
            server.transport.reactor.callLater(.milliseconds(10)) { server.transport.loseConnection() }
        }
        try serve(server, options: options) { client in
            try client.send([UInt8](repeating: 1, count: 10_000))
            try #require(client.receiveToEnd() == [])
            // It never closes, and is not heard for ever.
            let start = ContinuousClock.now
            #expect(throws: CallFailure.self) {
                while ContinuousClock.now - start < .seconds(10) {
                    try client.send("still here")
                    pauseThread(.milliseconds(5))
                }
            }
        }
        #expect(server.events == [.made, .lost(.done)])
    }

    @Test func aConnectionWhoseLayerExpectsAnAnswerIsHeldThoughNothingIsUnreadOrUnsent() throws {
        let server = Recorder()
        server.whenData = {
            $0.transport.expectsLastWord = true
            $0.transport.loseConnection()
        }
        try serve(server) { client in
            try client.send("first")
            try #require(client.receiveToEnd() == [])
            // The answer meets no reset, which the next call would report.
            try client.send("the last word")
            try #require(client.receiveToEnd() == [])
        }
        #expect(server.events == [.made, .data("first"), .lost(.done)])
    }

    @Test func aPeerThatIsOnlySlowIsNotGivenUp() throws {
        var options = TransportOptions()
        options.stallTimeout = .seconds(1)
        options.sendBufferBytes = 100_000
        let server = Recorder()
        let reply = reply
        server.whenMade = {
            $0.transport.write(reply)
            $0.transport.loseConnection()
        }
        try serve(server, options: options) { client in
            // Three times the stall timeout in all, and never as long at once.
            var count = 0
            for _ in 0..<20 {
                count += try client.receive(exactly: 100_000).count
                pauseThread(.milliseconds(150))
            }
            count += try client.receiveToEnd().count
            try #require(count == reply.count)
        }
        #expect(server.events == [.made, .lost(.done)])
    }

    @Test func aPeerThatIsResetWhileDataWaitsIsLostOnce() throws {
        let server = Recorder()
        let reply = reply + reply + reply
        server.whenMade = { $0.transport.write(reply) }
        try serve(server) { client in
            _ = try client.receive(exactly: 100)
            client.reset()
        }
        #expect(server.events == [.made, .lost(.lost)])
    }

    @Test func aPeerThatIsResetWhileTheConnectionClosesIsLostOnce() throws {
        let server = Recorder()
        let reply = reply + reply + reply
        server.whenMade = {
            $0.transport.write(reply)
            $0.transport.loseConnection()
        }
        try serve(server) { client in
            _ = try client.receive(exactly: 100)
            client.reset()
        }
        #expect(server.events == [.made, .lost(.lost)])
    }

    @Test func writingToAPeerThatIsGoneBreaksTheConnection() throws {
        let server = Recorder()
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            let client = try RawSocket(connectedTo: port)
            server.whenMade = { server in
                client.reset()
                server.transport.write([UInt8](repeating: 1, count: 100_000))
                server.transport.write("more")
                #expect(server.events == [.made], "the loss is told on a later turn")
            }
            server.whenLost = { _, _ in reactor.afterTurns(3) { reactor.stop() } }
        }
        #expect(server.events == [.made, .lost(.lost)])
    }

    @Test func whatWasWrittenRightBeforeTheStopStillLeaves() throws {
        let client = Shared<RawSocket?>(nil)
        try withReactor { reactor in
            let server = Recorder()
            server.whenMade = {
                $0.transport.write("goodbye")
                reactor.stop()
            }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            client.value = try RawSocket(connectedTo: port)
        }
        #expect(try client.value?.receiveToEnd() == Array("goodbye".utf8))
    }

    @Test(arguments: [false, true])
    func nothingIsDeliveredAfterClosingAConnectionThatBroke(byAborting: Bool) throws {
        let server = Recorder()
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            let client = try RawSocket(connectedTo: port)
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
}
