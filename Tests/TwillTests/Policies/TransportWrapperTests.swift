import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// A policy that does nothing but to put a transport in between, and to count what is written.
private final class Layer: ProtocolWrapper {
    private(set) var transportForWrapped: TransportWrapper?
    private(set) var writes: [Int] = []

    override func connectionMade() throws {
        let layer = TransportWrapper(over: transport) { [weak self] in self?.writes.append($0) }
        transportForWrapped = layer
        try wrapped.makeConnection(layer)
    }
}

private final class LayeringFactory: WrappingFactory {
    override func wrap(_ handler: Twill::Protocol) -> ProtocolWrapper { Layer(wrapping: handler) }
}

@Suite(.nothingLivesOn) final class TransportWrapperTests {
    private let reactor = VirtualReactor()
    private let recorder = Recorder()
    private let below: VirtualTransport
    private let layer: TransportWrapper
    private let policy: Layer

    init() throws {
        below = VirtualTransport(reactor)
        policy = Layer(wrapping: recorder)
        below.connect(policy)
        layer = try #require(policy.transportForWrapped)
    }

    deinit { reactor.end() }

    @Test func itsStateIsThatOfTheTransportBelowAtEveryMoment() throws {
        let outer = TransportWrapper(over: layer)
        #expect(outer.state == .connected)
        outer.loseConnection()
        #expect(below.state == .disconnecting)
        #expect(layer.state == .disconnecting)
        #expect(outer.state == .disconnecting)
        recorder.whenLost = { recorder, _ in #expect(recorder.transport.state == .disconnected) }
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .lost(.done)])
        #expect(outer.state == .disconnected)
    }

    @Test func closingGoesOnBelowWithItsReason() throws {
        layer.loseConnection(because: .badInput)
        try reactor.advance(by: .seconds(1))
        #expect(below.reason == .badInput)

        let other = VirtualTransport(reactor)
        other.connect(Recorder())
        TransportWrapper(over: other).abortConnection(because: .timedOut)
        try reactor.advance(by: .seconds(1))
        #expect(other.wasAborted)
        #expect(other.reason == .timedOut)
    }

    @Test func everyWayToWriteIsCountedOnceAndGoesOn() {
        layer.write([1, 2])
        layer.write("text")
        layer.write(SharedBytes("shared"))
        layer.writeFrame(prefix: edge("A"), body: [UInt8(66), 67].span, suffix: edge("D"))
        layer.writeSequence([[69], [], [70]])
        layer.write("")
        #expect(below.written == "\u{1}\u{2}textsharedABCDEF")
        #expect(policy.writes == [2, 4, 6, 4, 1, 1])
    }

    @Test func whatIsDroppedIsNotCounted() throws {
        layer.loseWriteConnection()
        layer.write("dropped")
        #expect(policy.writes == [])
        // What a producer writes is taken all the same.
        let producer = RecordingProducer()
        try layer.registerProducer(producer, streaming: true)
        layer.loseConnection()
        layer.write("taken")
        #expect(policy.writes == [5])
        layer.unregisterProducer()
        layer.write("dropped")
        try reactor.advance(by: .seconds(1))
        layer.write("dropped")
        #expect(policy.writes == [5])
    }

    @Test func readingIsPausedWhileEitherWantsIt() {
        layer.pauseProducing()
        layer.holdsReading = true
        layer.resumeProducing()
        #expect(below.isPaused)
        layer.holdsReading = false
        #expect(!below.isPaused)

        layer.holdsReading = true
        layer.pauseProducing()
        layer.holdsReading = false
        #expect(below.isPaused)
        layer.resumeProducing()
        #expect(!below.isPaused)
        #expect(below.pauses == 2)
    }

    @Test func aPolicyAboveAndOneBelowPauseByThemselves() {
        let upper = TransportWrapper(over: layer)
        upper.holdsReading = true
        layer.holdsReading = true
        upper.holdsReading = false
        #expect(below.isPaused)
        upper.holdsReading = true
        layer.holdsReading = false
        #expect(below.isPaused)
        upper.holdsReading = false
        #expect(!below.isPaused)
    }

    @Test func aProducerThatPushesIsPausedWhileEitherWantsIt() throws {
        let producer = RecordingProducer()
        try layer.registerProducer(producer, streaming: true)
        let seenBelow = try #require(below.producer)
        #expect(producer.events == [])
        layer.holdsProducer = true
        try seenBelow.pauseProducing()
        #expect(producer.events == ["pause"])
        layer.holdsProducer = false
        #expect(producer.events == ["pause"])
        try seenBelow.resumeProducing()
        #expect(producer.events == ["pause", "resume"])
    }

    @Test func aProducerThatIsPulledIsNotAskedWhileItIsHeld() throws {
        let producer = RecordingProducer()
        layer.holdsProducer = true
        try layer.registerProducer(producer, streaming: false)
        #expect(producer.events == [])
        layer.holdsProducer = false
        #expect(producer.events == ["resume"])
        layer.holdsProducer = true
        layer.holdsProducer = false
        // It was not asked for another piece.
        #expect(producer.events == ["resume"])
        try below.producer?.resumeProducing()
        #expect(producer.events == ["resume", "resume"])
    }

    @Test func oneThatIsRegisteredWhileItIsToBeHeldIsPausedAtOnce() throws {
        let producer = RecordingProducer()
        layer.holdsProducer = true
        try layer.registerProducer(producer, streaming: true)
        #expect(producer.events == ["pause"])
    }

    @Test func aSecondProducerIsRefusedAndTheFirstStays() throws {
        let first = RecordingProducer()
        let second = RecordingProducer()
        try layer.registerProducer(first, streaming: true)
        #expect(throws: ProducerError.self) { try layer.registerProducer(second, streaming: true) }
        layer.holdsProducer = true
        #expect(first.events == ["pause"])
        #expect(second.events == [])
    }

    @Test func nothingIsCalledAfterTheStopOrAfterItWasLetGo() throws {
        let released = RecordingProducer()
        try layer.registerProducer(released, streaming: true)
        layer.unregisterProducer()
        layer.holdsProducer = true
        #expect(released.events == [])
        layer.holdsProducer = false

        let stopped = RecordingProducer()
        try layer.registerProducer(stopped, streaming: true)
        stopped.whenStopped = { [layer] in layer.holdsProducer = true }
        below.lose()
        layer.holdsProducer = false
        #expect(stopped.events == ["stop"])

        let late = RecordingProducer()
        layer.holdsProducer = true
        try layer.registerProducer(late, streaming: true)
        #expect(late.events == ["stop"])
    }

    @Test func oneThatLetsGoInTheMiddleOfACallIsNotCalledAgain() throws {
        let producer = RecordingProducer()
        try layer.registerProducer(producer, streaming: true)
        let seenBelow = try #require(below.producer)
        try seenBelow.pauseProducing()
        producer.whenResumed = { [layer] in
            layer.unregisterProducer()
            layer.holdsProducer = true
        }
        try seenBelow.resumeProducing()
        #expect(producer.events == ["pause", "resume"])
    }

    @Test func theProducerIsLetGoOfWithTheConnection() throws {
        weak var gone: RecordingProducer?
        do {
            let producer = RecordingProducer()
            gone = producer
            try layer.registerProducer(producer, streaming: true)
        }
        #expect(gone != nil)
        below.lose()
        #expect(gone == nil)
    }

    @Test func whatAProducerThrowsWhenItIsHeldEndsTheConnection() throws {
        struct Mistake: Error {}
        let producer = RecordingProducer()
        producer.whenPaused = { throw Mistake() }
        try layer.registerProducer(producer, streaming: true)
        layer.holdsProducer = true
        #expect(below.state == .disconnecting)
        layer.unregisterProducer()
        try reactor.advance(by: .seconds(1))
        #expect(below.reason?.underlying is Mistake)
    }

    @Test func theProducersContractHoldsForAnyOrderOfCalls() throws {
        for seed in 0..<200 {
            var state = UInt64(seed)
            let producer = RecordingProducer()
            let holdable = HoldableProducer(producer, streaming: true, isHeld: false)
            var isFull = false
            var isHeld = false
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                if state >> 63 == 0 {
                    isFull.toggle()
                    if isFull { try holdable.pauseProducing() } else { try holdable.resumeProducing() }
                } else {
                    isHeld.toggle()
                    try holdable.setHeld(isHeld)
                }
                #expect((producer.events.last == "pause") == (isFull || isHeld))
            }
            let alternating = producer.events.indices.map { $0 % 2 == 0 ? "pause" : "resume" }
            #expect(producer.events == alternating)
        }
    }

    @Test func whatIsKnownBelowIsKnownHere() throws {
        var checked = false
        try withReactor { reactor in
            let recorder = Recorder()
            recorder.whenMade = { recorder in
                let layer = try #require(recorder.transport as? TransportWrapper)
                #expect(layer.host == layer.inner.host)
                #expect(layer.peer == layer.inner.peer)
                #expect(layer.peer.host == "127.0.0.1")
                #expect(layer.reactor === reactor)
                layer.waterMarks = WaterMarks(low: 1, high: 2, limit: 64 << 20)
                #expect(layer.inner.waterMarks == WaterMarks(low: 1, high: 2, limit: 64 << 20))
                #expect(layer.waterMarks == layer.inner.waterMarks)
                layer.write([UInt8](repeating: 1, count: 32 << 20))
                #expect(layer.bufferedByteCount > 0)
                #expect(layer.bufferedByteCount == layer.inner.bufferedByteCount)
                checked = true
                layer.callLater(.zero) { reactor.stop() }
            }
            let port = try reactor.listenTCP(
                port: 0, factory: LayeringFactory(wrapping: OneConnectionFactory(recorder)), interface: "127.0.0.1")
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { Recorder() })
        }
        #expect(checked)
    }

    @Test func abortingARealConnectionWithAReasonResetsIt() throws {
        let recorder = Recorder()
        recorder.whenData = { $0.transport.abortConnection(because: .timedOut(DeadlineError.idle(.seconds(1)))) }
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let factory = LayeringFactory(wrapping: LayeringFactory(wrapping: OneConnectionFactory(recorder)))
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send("x")
                #expect(throws: CallFailure.self) { try client.receiveToEnd() }
            }
        }
        #expect(recorder.events == [.made, .data("x"), .lost(.timedOut)])
        #expect(recorder.reason?.deadline == .idle(.seconds(1)))
        #expect(log.entries.isEmpty)
    }
}
