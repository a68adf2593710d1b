import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class DrainRateFactoryTests {
    private let reactor = VirtualReactor()
    private let recorder = Recorder()
    private let transport: VirtualTransport

    init() throws {
        // At least 100 bytes in ten seconds.
        let factory = DrainRateFactory(wrapping: OneConnectionFactory(recorder), bytesPerSecondMin: 10)
        transport = try reactor.connection(to: factory)
        transport.room = 0
    }

    deinit { reactor.end() }

    private func write(_ count: Int) {
        recorder.transport.write([UInt8](repeating: UInt8(ascii: "."), count: count))
    }

    @Test func whoTakesNothingIsAborted() throws {
        write(50)
        try reactor.advance(by: .seconds(20) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(transport.wasAborted)
        #expect(recorder.reason == .timedOut)
        #expect(recorder.reason?.deadline == .drainRate(bytesPerSecondMin: 10, window: .seconds(10)))
    }

    @Test func whoTakesJustEnoughStays() throws {
        write(10_000)
        for _ in 0..<20 {
            try reactor.advance(by: .seconds(5))
            transport.take(50)
        }
        #expect(transport.state == .connected)
    }

    @Test func whoTakesOneByteTooFewIsAborted() throws {
        write(10_000)
        try reactor.advance(by: .seconds(10))
        transport.take(99)
        try reactor.advance(by: .seconds(10))
        #expect(transport.state == .disconnected)
    }

    @Test func whatIsWrittenMeanwhileHasNotLeft() throws {
        write(1000)
        for _ in 0..<20 {
            try reactor.advance(by: .seconds(1))
            write(1000)
            transport.take(1)
        }
        #expect(transport.state == .disconnected)
    }

    @Test func aWindowInWhichNothingWaitedForAWhileIsNotJudged() throws {
        write(150)
        try reactor.advance(by: .seconds(10))
        transport.take(150)
        for _ in 0..<20 {
            // Taken late, but taken: at the end of each window something waits again.
            try reactor.advance(by: .seconds(9))
            transport.take(50)
            write(50)
            try reactor.advance(by: .seconds(1))
        }
        #expect(transport.state == .connected)
    }

    @Test func whereNothingWaitsNothingIsWatched() throws {
        transport.room = .max
        write(1000)
        try reactor.advance(by: .seconds(10))
        #expect(reactor.delayedCalls.isEmpty)
        try reactor.advance(by: .seconds(1000))
        #expect(transport.state == .connected)
        transport.room = 0
        write(1)
        try reactor.advance(by: .seconds(20))
        #expect(transport.state == .disconnected)
    }

    @Test func aClosingConnectionIsWatchedToo() throws {
        write(1000)
        recorder.transport.loseConnection()
        try reactor.advance(by: .seconds(20))
        #expect(transport.wasAborted)
        #expect(recorder.reason?.deadline == .drainRate(bytesPerSecondMin: 10, window: .seconds(10)))
    }

    // L3 and L5 of the catalogue: the peer has a small window and never reads.
    @Test func aRealPeerThatNeverReadsIsAborted() throws {
        let window = Duration.milliseconds(300)
        let recorder = Recorder()
        let lifetime = Shared(Duration.zero)
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            var start = reactor.now
            recorder.whenData = {
                start = reactor.now
                $0.transport.write([UInt8](repeating: 1, count: 8 << 20))
            }
            recorder.whenLost = { _, _ in
                lifetime.value = start.duration(to: reactor.now)
                reactor.stop()
            }
            let factory = DrainRateFactory(wrapping: OneConnectionFactory(recorder), bytesPerSecondMin: 1 << 20, window: window)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            let client = try RawSocket(connectedTo: port, receiveBufferBytes: 4096)
            try client.send("go")
            reactor.addSystemEventTrigger(.after, .shutdown) { client.close() }
        }
        #expect(recorder.reason == .timedOut)
        #expect(recorder.reason?.deadline == .drainRate(bytesPerSecondMin: 1 << 20, window: window))
        #expect(lifetime.value >= window)
        #expect(log.entries.isEmpty)
    }

    @Test func aRealPeerThatReadsSteadilyGetsEverything() throws {
        let count = 4 << 20
        let recorder = Recorder()
        recorder.whenData = {
            $0.transport.write([UInt8](repeating: 1, count: count))
            $0.transport.loseConnection()
        }
        try withReactor { reactor in
            let factory = DrainRateFactory(wrapping: OneConnectionFactory(recorder), bytesPerSecondMin: 1000, window: .seconds(1))
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port, receiveBufferBytes: 4096)
                try client.send("go")
                for _ in 0..<8 {
                    pauseThread(.milliseconds(200))
                    let piece = try client.receive(exactly: count / 8)
                    try #require(piece.count == count / 8)
                }
                try client.expectEnd()
            }
        }
        #expect(recorder.reason == .done)
    }
}
