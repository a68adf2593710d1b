import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class ThrottlingFactoryTests {
    private let reactor = VirtualReactor()
    /// The protocols that were made, the last one last.
    private var made: [Recorder] = []
    private lazy var inside = Factory { [unowned self] in
        let recorder = Recorder()
        made.append(recorder)
        return recorder
    }

    deinit { reactor.end() }

    private func connected(_ factory: Factory) throws -> (VirtualTransport, Recorder) {
        let transport = try reactor.connection(to: factory)
        let recorder = try #require(made.last)
        return (transport, recorder)
    }

    // M04, by a token bucket: 20 bytes at a limit of 10 per second are two seconds' worth, of which one was saved up.
    @Test func whoReceivesTooMuchHoldsEverybodyBackUntilItIsPaidFor() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 10)
        let (first, recorder) = try connected(factory)
        let (second, _) = try connected(factory)
        first.say("0123456789")
        #expect(!first.isPaused)
        first.say("0123456789")
        #expect(recorder.text == "01234567890123456789")
        #expect(first.isPaused && second.isPaused)
        try reactor.advance(by: .seconds(1) - .nanoseconds(1))
        #expect(first.isPaused && second.isPaused)
        try reactor.advance(by: .nanoseconds(1))
        #expect(!first.isPaused && !second.isPaused)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func whoSendsTooMuchHoldsBackReadersAndProducers() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesOutPerSecond: 10)
        let (first, writer) = try connected(factory)
        let (second, other) = try connected(factory)
        let pushing = RecordingProducer()
        try other.transport.registerProducer(pushing, streaming: true)
        writer.transport.write("0123456789")
        #expect(pushing.events == [])
        writer.transport.write("01234567890123456789")
        #expect(first.written.count == 30)
        #expect(first.isPaused && second.isPaused)
        #expect(pushing.events == ["pause"])
        // Who comes now is held back too.
        let (third, late) = try connected(factory)
        let pulled = RecordingProducer()
        try late.transport.registerProducer(pulled, streaming: false)
        #expect(third.isPaused)
        #expect(pulled.events == [])
        try reactor.advance(by: .seconds(2))
        #expect(!first.isPaused && !second.isPaused && !third.isPaused)
        #expect(pushing.events == ["pause", "resume"])
        #expect(pulled.events == ["resume"])
    }

    @Test func whatIsReceivedDoesNotHoldBackProducers() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 10, bytesOutPerSecond: 1000)
        let (transport, recorder) = try connected(factory)
        let pushing = RecordingProducer()
        try recorder.transport.registerProducer(pushing, streaming: true)
        transport.say("01234567890123456789")
        #expect(transport.isPaused)
        #expect(pushing.events == [])
    }

    @Test func whatIsWrittenMeanwhileIsPaidForToo() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesOutPerSecond: 10)
        let (transport, recorder) = try connected(factory)
        let pushing = RecordingProducer()
        try recorder.transport.registerProducer(pushing, streaming: true)
        recorder.transport.write("01234567890123456789")
        try reactor.advance(by: .milliseconds(500))
        recorder.transport.write("0123456789")
        try reactor.advance(by: .seconds(1))
        #expect(transport.isPaused)
        #expect(pushing.events == ["pause"])
        try reactor.advance(by: .milliseconds(500))
        #expect(!transport.isPaused)
        #expect(pushing.events == ["pause", "resume"])
    }

    @Test func aProtocolsOwnPauseOutlastsIt() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 10)
        let (transport, recorder) = try connected(factory)
        recorder.whenData = { $0.transport.pauseProducing() }
        transport.say("01234567890123456789")
        try reactor.advance(by: .seconds(10))
        #expect(transport.isPaused)
        recorder.transport.resumeProducing()
        #expect(!transport.isPaused)
    }

    @Test func bothDebtsHoldReadingByThemselves() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 10, bytesOutPerSecond: 10)
        let (transport, recorder) = try connected(factory)
        recorder.transport.write(String(repeating: ".", count: 30))
        transport.lose()
        let (second, other) = try connected(factory)
        #expect(second.isPaused)
        try reactor.advance(by: .seconds(1))
        // Bytes that had been read already.
        try other.feed(String(repeating: ".", count: 5))
        #expect(second.isPaused)
        try reactor.advance(by: .seconds(1))
        #expect(!second.isPaused)
    }

    @Test func aSmallDebtDoesNotMakeItFlutter() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 1000)
        let (transport, _) = try connected(factory)
        transport.say(String(repeating: ".", count: 1001))
        try reactor.advance(by: .milliseconds(99))
        #expect(transport.isPaused)
        try reactor.advance(by: .milliseconds(1))
        #expect(!transport.isPaused)
        // The time earned what it earned.
        transport.say(String(repeating: ".", count: 99))
        #expect(!transport.isPaused)
        transport.say(".")
        #expect(transport.isPaused)
    }

    @Test func everyProducerHasItsTurn() throws {
        let factory = ThrottlingFactory(wrapping: inside, bytesOutPerSecond: 10)
        var written: [Int: Int] = [:]
        var open: [VirtualTransport] = []
        for number in 0..<5 {
            let (transport, recorder) = try connected(factory)
            open.append(transport)
            let producer = RecordingProducer()
            producer.whenResumed = { [unowned transport = recorder.transport] in
                written[number, default: 0] += 1
                transport.write("0123456789")
            }
            try recorder.transport.registerProducer(producer, streaming: true)
        }
        made[0].transport.write(String(repeating: ".", count: 20))
        try reactor.advance(by: .seconds(100))
        let counts = (0..<5).map { written[$0, default: 0] }
        // 50 bytes in five seconds, again and again.
        #expect(Set(counts).count == 1)
        #expect((19...20).contains(counts[0]))
        for transport in open { transport.lose() }
    }

    // M05.
    @Test func oneTooManyIsRefused() throws {
        let factory = ThrottlingFactory(wrapping: inside, connectionsMax: 2)
        let (first, _) = try connected(factory)
        let (second, _) = try connected(factory)
        #expect(try VirtualTransport(reactor, to: factory) == nil)
        #expect(made.count == 2)
        first.lose()
        _ = try connected(factory)
        second.lose()
    }

    @Test func connectionsThatHaveEndedAreLetGoOf() throws {
        weak var gone: Twill::Protocol?
        let factory = ThrottlingFactory(wrapping: inside, bytesInPerSecond: 10, bytesOutPerSecond: 10)
        do {
            let handler = try #require(try factory.protocolForConnection(from: .unknown))
            gone = handler
            let transport = VirtualTransport(reactor)
            transport.connect(handler)
            transport.say(String(repeating: ".", count: 100))
            transport.lose()
        }
        made = []
        #expect(gone == nil)
    }

    @Test func withoutLimitsNothingIsHeldBack() throws {
        let (transport, recorder) = try connected(ThrottlingFactory(wrapping: inside))
        transport.say(String(repeating: ".", count: 100_000))
        recorder.transport.write(String(repeating: ".", count: 100_000))
        #expect(!transport.isPaused)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aRealServerReceivesNoFasterThanItMay() throws {
        let rate = 1 << 20
        let count = 2 * rate
        let received = Shared(0)
        let duration = Shared(Duration.zero)
        try withReactor { reactor in
            let recorder = Recorder()
            let start = reactor.now
            recorder.whenLost = { recorder, _ in
                received.value = recorder.received.count
                duration.value = start.duration(to: reactor.now)
            }
            let factory = ThrottlingFactory(wrapping: OneConnectionFactory(recorder), bytesInPerSecond: rate)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send([UInt8](repeating: 1, count: count))
                client.shutdownWriting()
                try client.expectEnd()
            }
        }
        #expect(received.value == count)
        // One second's worth is free, and the last read, of a quarter, is owed for.
        #expect(duration.value >= .milliseconds(740))
    }

    @Test(arguments: [true, false])
    func aRealProducerSendsNoFasterThanItMay(streaming: Bool) throws {
        let rate = 1 << 20
        let count = 2 * rate
        let duration = Shared(Duration.zero)
        try withReactor { reactor in
            let recorder = Recorder()
            let producer = PieceProducer(of: recorder, pieces: count >> 14, streaming: streaming)
            let start = reactor.now
            recorder.whenData = {
                try $0.transport.registerProducer(producer, streaming: streaming)
                producer.push()
            }
            let factory = ThrottlingFactory(wrapping: OneConnectionFactory(recorder), bytesOutPerSecond: rate)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send("go")
                let bytes = try client.receiveToEnd()
                try #require(bytes.count == count)
            } then: {
                duration.value = start.duration(to: reactor.now)
                reactor.stop()
            }
        }
        #expect(duration.value >= .milliseconds(900))
    }
}

/// Writes pieces of 16 KiB: as many as it may, or one at a time.
private final class PieceProducer: Producer {
    private let recorder: Recorder
    private let streaming: Bool
    private var left: Int
    private var mayWrite = true

    init(of recorder: Recorder, pieces: Int, streaming: Bool) {
        self.recorder = recorder
        self.streaming = streaming
        left = pieces
    }

    func push() {
        guard streaming, mayWrite, left > 0 else { return }
        write()
        recorder.transport.callLater(.zero) { [weak self] in self?.push() }
    }

    private func write() {
        left -= 1
        recorder.transport.write([UInt8](repeating: 1, count: 1 << 14))
        guard left == 0 else { return }
        recorder.transport.unregisterProducer()
        recorder.transport.loseConnection()
    }

    func pauseProducing() { mayWrite = false }

    func resumeProducing() {
        mayWrite = true
        if streaming { push() } else if left > 0 { write() }
    }

    func stopProducing() { left = 0 }
}
