import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("A peer that never reads, among others that do", .nothingLivesOn)
struct StalledReaderTests {
    private static let pieceBytes = 10_000

    /// Writes a piece whenever it may; an idle turn of the loop lies between two.
    private final class Feed: Protocol, Producer {
        private(set) var mostUnsent = 0
        private(set) var pauses = 0
        private(set) var reason: ConnectionLost?
        var whenLost: () -> Void = {}
        private var isPaused = false
        private let piece = [UInt8](repeating: 0x2E, count: pieceBytes)

        override func connectionMade() throws {
            try transport.registerProducer(self, streaming: true)
            write()
        }

        private func write() {
            guard !isPaused else { return }
            transport.write(piece)
            mostUnsent = max(mostUnsent, transport.bufferedByteCount)
            transport.callLater(.zero) { [unowned self] in write() }
        }

        func pauseProducing() {
            isPaused = true
            pauses += 1
            mostUnsent = max(mostUnsent, transport.bufferedByteCount)
        }

        func resumeProducing() {
            isPaused = false
            write()
        }

        func stopProducing() { isPaused = true }

        override func connectionLost(_ reason: ConnectionLost) {
            self.reason = reason
            whenLost()
            whenLost = {}
        }
    }

    private final class Echo: LineReceiver {
        override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
    }

    /// Sends numbered lines, each when the one before has come back, and measures by the thread's processor time how long that took: what
    /// other programs do on the machine does not count, what the stalled peer costs does.
    private final class Pinger: LineReceiver {
        private(set) var number = 0
        private(set) var wasWrong = false
        private var sentAt = Duration.zero
        private let note: (Duration) -> Void

        init(note: @escaping (Duration) -> Void) {
            self.note = note
            super.init()
        }

        override func connectionMade() { ping() }

        private func ping() {
            sentAt = threadProcessorTime()
            sendLine(Array("\(number)".utf8))
        }

        override func lineReceived(_ line: Span<UInt8>) {
            if Array(copying: line) != Array("\(number)".utf8) { wasWrong = true }
            number += 1
            note(threadProcessorTime() - sentAt)
            transport.callLater(.milliseconds(5)) { [unowned self] in ping() }
        }
    }

    @Test func itIsDroppedAtItsDeadlineAndTheOthersDoNotNotice() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        var options = TransportOptions()
        options.sendBufferBytes = 20_000
        let feed = Feed()
        feed.whenLost = { reactor.stop() }
        let feeds = DrainRateFactory(wrapping: OneConnectionFactory(feed), bytesPerSecondMin: 1000, window: .seconds(1))
        let feedPort = try reactor.listenTCP(port: 0, factory: feeds, interface: "127.0.0.1", options: options)
        let echoPort = try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1")

        let stalled = try RawSocket(connectedTo: feedPort.number, receiveBufferBytes: 4096)
        var latencies: [Duration] = []
        var pingers: [Pinger] = []
        let clients = ClientFactory {
            let pinger = Pinger { latencies.append($0) }
            pingers.append(pinger)
            return pinger
        }
        for _ in 0..<99 { try reactor.connectTCP(host: "127.0.0.1", port: echoPort.number, factory: clients) }
        let start = ContinuousClock.now
        try reactor.runToStop()

        #expect(feed.reason == .timedOut)
        #expect(feed.reason?.underlying is DeadlineError)
        #expect(ContinuousClock.now - start >= .seconds(1))
        #expect(feed.pauses == 1)
        #expect(feed.mostUnsent <= WaterMarks().high + Self.pieceBytes)
        #expect(pingers.count == 99)
        #expect(pingers.allSatisfy { $0.number > 10 && !$0.wasWrong })
        #expect(echoPort.statistics.closed == echoPort.statistics.closed(.reactorStopped))
        let sorted = latencies.sorted()
        #expect(sorted[sorted.count * 99 / 100] < .milliseconds(50))
        stalled.close()
        pingers = []
    }
}
