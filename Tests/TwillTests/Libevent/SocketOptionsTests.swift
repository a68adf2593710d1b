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

@Suite("Options of sockets", .nothingLivesOn)
struct SocketOptionsTests {
    private static let tcp = CInt(IPPROTO_TCP)

    /// What both ends of a connection with these options answer to `getsockopt`.
    private func values(of option: CInt, at level: CInt, with options: TransportOptions) throws -> (server: CInt, client: CInt) {
        let values = Shared<[CInt]>([])
        try withReactor { reactor in
            let pair = try Pair(reactor, serverOptions: options, clientOptions: options)
            pair.server.whenData = { server in
                for transport in [server.transport, pair.client.transport] {
                    let descriptor = (transport as? SocketTransport)?.socket.descriptor ?? -1
                    values.value.append(socketOption(descriptor, level, option))
                }
                server.transport.loseConnection()
            }
            pair.client.whenMade = { $0.transport.write("go") }
        }
        return try (#require(values.value.first), #require(values.value.last))
    }

    @Test func smallWritesGoOutAtOnceByDefault() throws {
        let values = try values(of: TCP_NODELAY, at: Self.tcp, with: TransportOptions())
        #expect(values.server != 0)
        #expect(values.client != 0)
    }

    @Test func smallWritesWaitWhereThatIsAskedFor() throws {
        var options = TransportOptions()
        options.noDelay = false
        let values = try values(of: TCP_NODELAY, at: Self.tcp, with: options)
        #expect(values.server == 0)
        #expect(values.client == 0)
    }

    @Test func nobodyIsProbedByDefault() throws {
        let values = try values(of: SO_KEEPALIVE, at: SOL_SOCKET, with: TransportOptions())
        #expect(values.server == 0)
        #expect(values.client == 0)
    }

    @Test func probesComeAsTheyWereAskedFor() throws {
        var options = TransportOptions()
        options.keepAlive = .init(idle: .seconds(31), interval: .seconds(7), count: 4)
        #if canImport(Darwin)
        let idle = TCP_KEEPALIVE
        #else
        let idle = TCP_KEEPIDLE
        #endif
        let alive = try values(of: SO_KEEPALIVE, at: SOL_SOCKET, with: options)
        #expect(alive.server != 0 && alive.client != 0)
        #expect(try values(of: idle, at: Self.tcp, with: options) == (31, 31))
        #expect(try values(of: TCP_KEEPINTVL, at: Self.tcp, with: options) == (7, 7))
        #expect(try values(of: TCP_KEEPCNT, at: Self.tcp, with: options) == (4, 4))
    }

    @Test func lessThanASecondBetweenProbesCountsAsOne() throws {
        var options = TransportOptions()
        options.keepAlive = .init(idle: .milliseconds(1), interval: .zero, count: 0)
        #expect(try values(of: TCP_KEEPINTVL, at: Self.tcp, with: options) == (1, 1))
        #expect(try values(of: TCP_KEEPCNT, at: Self.tcp, with: options) == (1, 1))
    }

    @Test func buffersHaveTheSizeThatWasAskedFor() throws {
        var options = TransportOptions()
        options.sendBufferBytes = 40_000
        options.receiveBufferBytes = 50_000
        let sending = try values(of: SO_SNDBUF, at: SOL_SOCKET, with: options)
        let receiving = try values(of: SO_RCVBUF, at: SOL_SOCKET, with: options)
        // Linux doubles what it is asked for, to have room for its own bookkeeping.
        for value in [sending.server, sending.client] { #expect((40_000...80_000).contains(value)) }
        for value in [receiving.server, receiving.client] { #expect((50_000...100_000).contains(value)) }
    }

    @Test func aLingerOfZeroMakesEveryCloseAReset() throws {
        var options = TransportOptions()
        options.linger = .zero
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor, serverOptions: options)
            pair.server.whenMade = { $0.transport.loseConnection() }
            return pair
        }
        #expect(pair.server.reason == .done)
        #expect(pair.client.reason == .done || pair.client.reason == .lost)
    }

    @Test func anOptionThatTheSystemRefusesKeepsThePortClosed() throws {
        var options = TransportOptions()
        options.keepAlive = .init(idle: .seconds(40_000), interval: .seconds(1), count: 1)
        let reactor = try LibeventReactor()
        let error = #expect(throws: ListenError.self) {
            try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1", options: options)
        }
        #expect(error == .failed)
        #expect(error?.underlying?.call == "setsockopt")
    }
}
