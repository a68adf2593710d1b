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

@Suite("When what was written leaves", .nothingLivesOn)
struct WriteStageTests {
    /// Serves one raw client of this same thread, which can look into its socket while the server's callback runs.
    private func withClient(_ serve: @escaping (Recorder, RawSocket) throws -> Void) throws {
        try withReactor { reactor in
            let server = Recorder()
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            let client = try RawSocket(connectedTo: port)
            server.whenMade = { try serve($0, client) }
            server.whenLost = { _, _ in reactor.stop() }
        }
    }

    /// How many bytes lie in the client's socket.
    private func waiting(_ client: RawSocket) -> CInt {
        var count: CInt = -1
        _ = unsafe ioctl(client.descriptor, UInt(FIONREAD), &count)
        return count
    }

    @Test func smallWritesLeaveWhenTheCallbackReturns() throws {
        try withClient { server, client in
            server.transport.write("one")
            server.transport.write("two")
            #expect(waiting(client) == 0)
            server.transport.reactor.callLater(.zero) {
                try #expect(client.receiveText(6) == "onetwo")
                client.close()
            }
        }
    }

    @Test func aLargeWriteLeavesAtOnceBehindWhatWasWrittenBefore() throws {
        try withClient { server, client in
            server.transport.write("before")
            server.transport.write([UInt8](repeating: 0x2E, count: 40_000))
            #expect(waiting(client) == 40_006)
            try #expect(client.receiveText(7) == "before.")
            client.close()
        }
    }

    @Test func aFullStageLeavesAtOnce() throws {
        try withClient { server, client in
            for _ in 0..<70 { server.transport.write([UInt8](repeating: 0x2E, count: 1_000)) }
            #expect(waiting(client) >= 60_000)
            #expect(waiting(client) < 70_000)
            server.transport.reactor.callLater(.zero) {
                try #expect(client.receive(exactly: 70_000).count == 70_000)
                client.close()
            }
        }
    }

    @Test func whatOneConnectionWroteLeavesWhenAnotherWrites() throws {
        try withReactor { reactor in
            var servers: [Recorder] = []
            let factory = Factory { () -> Recorder in
                let server = Recorder()
                server.whenMade = { server in
                    servers.append(server)
                    guard servers.count == 2 else { return }
                    servers[0].transport.write("first")
                    servers[1].transport.write("second")
                    reactor.callLater(.zero) {
                        for server in servers { server.transport.loseConnection() }
                        servers = []
                    }
                }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let clients = try (0..<2).map { _ in try RawSocket(connectedTo: port) }
                let texts = try clients.map { String(decoding: try $0.receiveToEnd(), as: UTF8.self) }
                try #require(texts.sorted() == ["first", "second"])
            }
        }
    }

    @Test func theWritesOfOneCallbackArriveInOnePiece() throws {
        // A client that waits in recv would sooner or later see the first of several sends alone.
        try withReactor { reactor in
            let server = Recorder()
            server.whenData = { server in
                for number in 0..<20 { server.transport.write("piece \(number % 10)\r\n") }
            }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                for _ in 0..<200 {
                    try client.send("go")
                    try #require(try client.receive().count == 180)
                }
            }
        }
    }

    @Test func whatTimersAndCallsFromThreadsWriteLeavesTooThoughNothingElseHappens() throws {
        try withReactor { reactor in
            let server = Recorder()
            let handle = reactor.handle
            server.whenMade = { server in
                reactor.callLater(.milliseconds(5)) { server.transport.write("timer ") }
            }
            let transports = ReactorBound(server)
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try #require(client.receiveText(6) == "timer ")
                handle.callFromThread { _ in transports.value.transport.write("thread") }
                try #require(client.receiveText(6) == "thread")
            }
        }
    }
}
