import Testing
import Twill
import TwillTesting

private final class Upper: NetstringReceiver {
    override func stringReceived(_ string: Span<UInt8>) throws {
        sendString(try String(validating: string).uppercased())
    }
}

private final class Greeter: LineReceiver {
    override func connectionMade() { sendLine("hello") }
    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        if text == "pause" { return transport.pauseProducing() }
        if text == "bye" { return transport.loseConnection() }
        sendLine(text)
    }
}

/// A producer that keeps what it is told.
private final class Teller: Producer {
    var heard: [String] = []
    var piece: (() -> Void)?
    func pauseProducing() { heard.append("pause") }
    func resumeProducing() {
        heard.append("resume")
        piece?()
    }
    func stopProducing() { heard.append("stop") }
}

@Suite("Doubles for protocols")
struct DoublesTests {
    @Test(arguments: everyChunking(of: "5:hello,0:,"))
    func aProtocolAnswersTheSameWhateverTheCuts(_ chunking: Chunking) throws {
        let transport = try feed(Upper(), "5:hello,0:,", chunked: chunking)
        #expect(transport.text == "5:HELLO,0:,")
        transport.lose()
    }

    @Test func shortInputsAreCutInEveryWayThereIs() {
        let cuts = everyChunking(of: "abc").map { $0.pieces(ofCount: 3) }
        #expect(Set(cuts) == [[0..<3], [0..<1, 1..<3], [0..<2, 2..<3], [0..<1, 1..<2, 2..<3]])
        #expect(cuts.count == 4)
        #expect(everyChunking(of: "").map { $0.pieces(ofCount: 0) } == [[]])
        #expect(everyChunking(of: "a").map { $0.pieces(ofCount: 1) } == [[0..<1]])
        #expect(Set(everyChunking(of: "0123456789").map { $0.pieces(ofCount: 10) }).count == 512)
    }

    @Test func longInputsAreCutInEverySizeAndAtEveryPlace() {
        let ways = everyChunking(of: String(repeating: "x", count: 20))
        #expect(ways.count == 1 + 19 + 19)
        #expect(ways.contains(.byteByByte) && ways.contains(.cut(at: 7)) && ways.contains(.pieces(of: 19)))
        for way in ways {
            let pieces = way.pieces(ofCount: 20)
            #expect(pieces.flatMap { Array($0) } == Array(0..<20), "\(way)")
            #expect(!pieces.contains { $0.isEmpty })
        }
    }

    @Test func cutsThatCutNothingArePassedOver() {
        #expect(Chunking.cut(at: 9, 0, 2, 2, -1, 4).pieces(ofCount: 4) == [0..<2, 2..<4])
        #expect(Chunking.pieces(of: 0).pieces(ofCount: 2) == [0..<1, 1..<2])
        #expect(
            ["\(Chunking.whole)", "\(Chunking.byteByByte)", "\(Chunking.pieces(of: 2))", "\(Chunking.cut(at: 3, 1))"]
                == ["whole", "byte by byte", "pieces of 2", "cut at 1, 3"])
    }

    @Test func whatIsWrittenIsKeptAndClosingIsNoted() throws {
        let greeter = Greeter()
        let transport = try feed(greeter, "a\r\nbye\r\nnever heard\r\n", chunked: .pieces(of: 3))
        #expect(transport.text == "hello\r\na\r\n")
        #expect(transport.state == .disconnecting)
        #expect(transport.reason == .done)
        greeter.transport.write("dropped")
        #expect(transport.text == "hello\r\na\r\n")
        transport.lose()
        #expect(transport.state == .disconnected)
    }

    @Test func aPausedProtocolGetsTheRestWhenItIsFedAgain() throws {
        let greeter = Greeter()
        let transport = try feed(greeter, "pause\r\na\r\n", chunked: .cut(at: 7))
        #expect(transport.text == "hello\r\n")
        #expect(transport.isPaused)
        #expect(transport.unread == Array("a\r\n".utf8))
        try feed(greeter, "b\r\n")
        #expect(transport.text == "hello\r\n")
        transport.resumeProducing()
        try feed(greeter, "c\r\n")
        #expect(transport.text == "hello\r\na\r\nb\r\nc\r\n")
        #expect(transport.unread.isEmpty)
        transport.lose()
    }

    @Test func anErrorIsThrownOnAndClosesTheConnection() throws {
        struct Refusal: Error {}
        final class Picky: AccumulatingProtocol {
            override func dataReceived(_ data: Span<UInt8>) throws {
                try super.dataReceived(data)
                if text == "no" { throw Refusal() }
            }
        }
        let picky = Picky()
        #expect(throws: Refusal.self) { try feed(picky, "nobody", chunked: .byteByByte) }
        let transport = try #require(picky.transport as? StringTransport)
        #expect(transport.state == .disconnecting)
        #expect(transport.unread == Array("body".utf8))
        transport.lose()
        #expect(picky.reason == .failed)
        #expect(picky.reason?.underlying is Refusal)
    }

    @Test func theLossIsToldWithItsReason() throws {
        let handler = AccumulatingProtocol()
        let transport = StringTransport()
        try transport.connect(handler)
        #expect(handler.wasMade)
        try transport.receive("one")
        try transport.receive("two", chunked: .byteByByte)
        #expect(handler.text == "onetwo")
        #expect(handler.pieces == [3, 1, 1, 1])
        handler.clear()
        #expect(handler.data.isEmpty)
        handler.transport.abortConnection(because: .timedOut)
        #expect(transport.wasAborted && !handler.wasLost)
        transport.lose()
        #expect(handler.reason == .timedOut)
    }

    @Test func aPeerThatClosesItsHalfEndsAProtocolThatIsNotHalfCloseable() throws {
        final class Sum: AccumulatingProtocol, HalfCloseableProtocol {
            func readConnectionLost() { transport.write("\(data.count)") }
            func writeConnectionLost() {}
        }
        let sum = Sum()
        let transport = try feed(sum, "abc")
        try transport.closePeersHalf()
        #expect(transport.text == "3")
        #expect(transport.state == .connected)
        transport.lose()
        let other = try feed(AccumulatingProtocol(), "abc")
        try other.closePeersHalf()
        #expect(other.state == .disconnecting)
        other.lose()
    }

    @Test func aPushProducerIsPausedAndResumedByTheWaterMarks() throws {
        let handler = AccumulatingProtocol()
        let teller = Teller()
        let transport = try feed(handler, "")
        transport.waterMarks = WaterMarks(low: 2, high: 4, limit: 100)
        transport.room = 3
        try handler.transport.registerProducer(teller, streaming: true)
        #expect(throws: ProducerError.self) { try handler.transport.registerProducer(Teller(), streaming: true) }
        handler.transport.write("1234567")
        #expect(transport.bufferedByteCount == 4)
        #expect(teller.heard.isEmpty)
        handler.transport.write("8")
        #expect(teller.heard == ["pause"])
        transport.take(2)
        #expect(teller.heard == ["pause"])
        transport.take(1)
        #expect(teller.heard == ["pause", "resume"])
        handler.transport.write([UInt8](repeating: 0, count: 99))
        #expect(transport.reason == .unsentLimit)
        transport.lose()
        #expect(teller.heard == ["pause", "resume", "stop"])
        #expect(handler.reason == .unsentLimit)
    }

    @Test func aPullProducerIsAskedWhenTheTestSays() throws {
        let handler = AccumulatingProtocol()
        let teller = Teller()
        let transport = try feed(handler, "")
        teller.piece = { [unowned transport] in transport.write("x") }
        try handler.transport.registerProducer(teller, streaming: false)
        #expect(transport.text == "x")
        handler.transport.loseConnection()
        transport.pull()
        #expect(transport.text == "xx", "a closing connection waits for its producer")
        handler.transport.unregisterProducer()
        #expect(transport.producer == nil)
        transport.write("y")
        #expect(transport.text == "xx")
        transport.lose()
        #expect(teller.heard == ["resume", "resume"])
    }

    @Test func aProtocolThatHandsOverIsFollowed() throws {
        final class First: AccumulatingProtocol {
            let next = AccumulatingProtocol()
            override func dataReceived(_ data: Span<UInt8>) throws { try handOver(to: next, unread: []) }
        }
        let first = First()
        let transport = try feed(first, "a")
        try feed(first, "b")
        #expect(first.next.text == "b")
        transport.lose()
        #expect(first.next.wasLost && !first.wasLost)
    }

    @Test func whatNoNetworkCouldDoTraps() async {
        await #expect(processExitsWith: .failure) {
            let transport = StringTransport()
            try transport.connect(AccumulatingProtocol())
            try transport.connect(AccumulatingProtocol())
        }
        await #expect(processExitsWith: .failure) {
            let transport = try feed(AccumulatingProtocol(), "")
            transport.lose()
            transport.lose()
        }
        await #expect(processExitsWith: .failure) {
            let transport = try feed(AccumulatingProtocol(), "")
            transport.lose()
            try transport.receive("late")
        }
    }

    @Test func aManualClockMovesOnlyForward() {
        let manual = ManualClock()
        let start = manual.now
        manual.advance(by: .seconds(5))
        #expect(start.duration(to: manual.clock.now) == .seconds(5))
        manual.advance(by: .seconds(-3))
        manual.advance(to: start)
        #expect(start.duration(to: manual.now) == .seconds(5))
        manual.advance(to: start.advanced(by: .seconds(9)))
        #expect(start.duration(to: manual.now) == .seconds(9))
    }
}
