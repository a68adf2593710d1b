import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("A transport of no reactor", .nothingLivesOn)
struct TransportTests {
    /// A transport of a test's own, as users write them.
    private final class StringTransport: Transport {
        var written: [[UInt8]] = []

        override func write(_ data: Span<UInt8>) { written.append(Array(copying: data)) }
    }

    @Test func aBareTransportIsClosedAndDropsWhatItIsGiven() {
        let transport = Transport()
        #expect(transport.state == .disconnected)
        transport.write("lost")
        transport.write(SharedBytes("lost"))
        transport.loseConnection()
        transport.abortConnection()
        transport.pauseProducing()
        transport.resumeProducing()
        #expect(transport.bufferedByteCount == 0)
        #expect(transport.host == .unknown)
        #expect(transport.peer == .unknown)
    }

    @Test func aProtocolThatIsNotConnectedWritesToNobody() {
        let handler = Protocol()
        handler.transport.write("lost")
        #expect(handler.transport.state == .disconnected)
        #expect(handler.factory == nil)
    }

    @Test func everyWayToWriteEndsInTheOneThatASubclassOverrides() {
        let transport = StringTransport()
        let greeting: StaticString = "static"
        let scalar = StaticString(stringLiteral: "é")
        transport.write([1, 2])
        transport.write("text")
        transport.write(greeting)
        transport.write(scalar)
        transport.write((UInt8(3)...5).lazy.map { $0 * 2 })
        transport.write(SharedBytes("shared"))
        transport.writeSequence([[7], [], [8, 9]])
        let pieces: [[UInt8]] = [
            [1, 2], Array("text".utf8), Array("static".utf8), Array("é".utf8), [6, 8, 10], Array("shared".utf8), [7], [], [8, 9],
        ]
        #expect(transport.written == pieces)
    }

    @Test func closingWithAReasonClosesWhereASubclassKnowsNoReasons() {
        final class Closing: Transport {
            var wasClosed = false
            override func loseConnection() { wasClosed = true }
        }
        let transport = Closing()
        transport.loseConnection(because: .timedOut)
        #expect(transport.wasClosed)
    }

    @Test func connectingAProtocolByHandTellsItOnce() throws {
        let handler = Recorder()
        let transport = Transport()
        try handler.makeConnection(transport)
        #expect(handler.events == [.made])
        #expect(handler.transport === transport)
    }
}
