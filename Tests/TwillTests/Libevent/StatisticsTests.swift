import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("What a reactor counts", .nothingLivesOn)
struct StatisticsTests {
    @Test func connectionsAndTheirBytesAreCounted() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let pair = try Pair(reactor)
        pair.client.whenMade = { client in
            client.transport.write([UInt8](repeating: 0x2E, count: 1000))
            client.transport.loseConnection()
        }
        pair.server.whenMade = { server in
            #expect(reactor.statistics.connections.open >= 1)
            server.transport.write("hello")
        }
        try reactor.runToStop()
        let port = pair.port.statistics
        #expect(port.accepted == 1)
        #expect(port.connected == 0)
        #expect(port.bytesReceived == 1000)
        #expect(port.bytesSent == 5)
        #expect(port.open == 0)
        #expect(port.closed == 1)
        #expect(port.closed(.done) == 1)
        // The client's side is no port's.
        let all = reactor.statistics.connections
        #expect(all.accepted == 1)
        #expect(all.connected == 1)
        #expect(all.bytesSent == 1005)
        #expect(all.closed(.done) == 2)
        #expect(all.closed(.lost) == 0)
        // Asked again, the closed port is not counted twice.
        #expect(reactor.statistics.connections == all)
    }

    @Test func refusalsAreCounted() throws {
        struct Refusal: Error {}
        let port = try withReactor { reactor in
            var count = 0
            let factory = Factory { (_: Address) -> Twill::Protocol? in
                count += 1
                if count == 1 { throw Refusal() }
                return nil
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let number = port.number
            reactor.runClient {
                for _ in 0..<2 { try #require(RawSocket(connectedTo: number).receiveToEnd() == []) }
            }
            return port
        }
        #expect(port.statistics.accepted == 2)
        #expect(port.statistics.refused == 2)
        #expect(port.statistics.open == 0)
        #expect(port.statistics.closed == 0)
    }

    @Test func eachReasonIsCountedByItself() throws {
        struct Refusal: Error {}
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        var ends: [(Recorder) throws -> Void] = [
            { $0.transport.abortConnection() }, { _ in throw Refusal() }, { $0.transport.loseConnection(because: .badInput) },
        ]
        let factory = Factory { () -> Recorder in
            let server = Recorder()
            server.whenMade = ends.removeFirst()
            return server
        }
        let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
        let number = port.number
        reactor.runClient {
            for _ in 0..<3 { _ = try? RawSocket(connectedTo: number).receiveToEnd() }
        }
        try reactor.runToStop()
        let statistics = port.statistics
        #expect(statistics.closed == 3)
        for reason in [ConnectionLost.aborted, .failed, .badInput] { #expect(statistics.closed(reason) == 1) }
    }

    @Test func unsentBytesAndPausedProducersAreWhatIsThereNow() throws {
        final class Idle: Producer {
            func resumeProducing() {}
            func stopProducing() {}
        }
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let server = Recorder()
        var written = 0
        server.whenMade = { server in
            try server.transport.registerProducer(Idle(), streaming: true)
            while server.transport.bufferedByteCount < 1 << 20 {
                server.transport.write([UInt8](repeating: 0x2E, count: 1 << 16))
                written += 1 << 16
            }
        }
        let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1")
        let client = try RawSocket(connectedTo: port.number)
        reactor.callLater(.milliseconds(20)) {
            let now = port.statistics
            #expect(now.unsentBytes == server.transport.bufferedByteCount)
            #expect(now.unsentBytes >= 1 << 20)
            #expect(now.bytesSent + now.unsentBytes == written)
            #expect(now.pausedProducers == 1)
            server.transport.unregisterProducer()
            #expect(port.statistics.pausedProducers == 0)
            server.transport.loseConnection()
            let count = written
            reactor.runClient { try #require(client.receiveToEnd().count == count) }
        }
        try reactor.runToStop()
        #expect(port.statistics.unsentBytes == 0)
        #expect(port.statistics.bytesSent == written)
    }

    @Test func bytesThatAreDroppedWaitNoMore() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let server = Recorder()
        server.whenMade = { server in
            server.transport.write([UInt8](repeating: 0x2E, count: 12 << 20))
            #expect(reactor.statistics.connections.unsentBytes > 0)
            server.transport.abortConnection()
        }
        server.whenLost = { _, _ in reactor.stop() }
        let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1")
        let client = try RawSocket(connectedTo: port.number)
        try reactor.runToStop()
        #expect(reactor.statistics.connections.unsentBytes == 0)
        client.close()
    }

    @Test func aCallbackThatHoldsUpTheOthersIsMeasuredAndNamed() throws {
        let log = RecordedLog()
        let reactor = try LibeventReactor(logger: log.logger)
        #expect(reactor.statistics.longestCallback == .zero)
        let server = Recorder()
        // The thread is held up on purpose.
        server.whenData = { _ in pauseThread(.milliseconds(120)) }
        let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1")
        let client = try RawSocket(connectedTo: port.number)
        try client.send("x")
        // Due while the callback holds up the loop, or right after it.
        server.whenMade = { _ in
            reactor.callLater(.milliseconds(20)) { reactor.callLater(.milliseconds(5)) { reactor.stop() } }
        }
        try reactor.runToStop()
        let statistics = reactor.statistics
        #expect(statistics.longestCallback >= .milliseconds(100))
        #expect(statistics.longestLoopLag >= statistics.loopLag)
        #expect(log.count(containing: "Recorder with 127.0.0.1:") == 1)
        #expect(log.count(containing: "do blocking work in deferToThread") == 1)
        client.close()
    }

    @Test func aProducerOrAWatchThatHoldsUpTheOthersIsMeasuredThoughItComesFirst() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let (watched, peer) = try socketPair()
        let watch = try reactor.watch(watched.descriptor, for: .readable) { [unowned reactor] _ in
            // The thread is held up on purpose.
            pauseThread(.milliseconds(120))
            reactor.stop()
        }
        try peer.send("x")
        try reactor.runToStop()
        #expect(reactor.statistics.longestCallback >= .milliseconds(100))
        watch.cancel()

        final class Slow: Producer {
            func pauseProducing() {}
            func resumeProducing() { pauseThread(.milliseconds(320)) }
            func stopProducing() {}
        }
        let server = Recorder()
        server.whenMade = { server in
            try server.transport.registerProducer(Slow(), streaming: true)
            server.transport.write([UInt8](repeating: 0x2E, count: 12 << 20))
            server.transport.unregisterProducer()
            try server.transport.registerProducer(Slow(), streaming: true)
        }
        let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
        reactor.runClient {
            let client = try RawSocket(connectedTo: port)
            try #require(client.receive(exactly: 12 << 20).count == 12 << 20)
        }
        try reactor.runToStop()
        #expect(reactor.statistics.longestCallback >= .milliseconds(300))
    }

    @Test func theDelayOfCallsIsMeasured() throws {
        // Whether both are due in the same look at the timers or not.
        for delay in [0, 20] {
            let reactor = try LibeventReactor(logger: RecordedLog().logger)
            reactor.callLater(.zero) { pauseThread(.milliseconds(100)) }
            reactor.callLater(.milliseconds(delay)) { reactor.stop() }
            try reactor.runToStop()
            #expect(reactor.statistics.longestLoopLag >= .milliseconds(60))
        }
    }
}
