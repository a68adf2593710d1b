import Testing
import Twill

@testable import TwillTool

/// The pattern of the chargen server, and that it waits for its reader.
struct ChargenTests {
    /// A transport that notes what was written, and whose producer the test calls.
    private final class NotingTransport: Transport {
        var written: [Int] = []
        var puller: (any Producer)?

        override func write(_ data: Span<UInt8>) { written.append(data.count) }

        override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
            #expect(!streaming)
            puller = producer
        }
    }

    @Test func linesRotateThroughAllPrintableCharacters() {
        let lines = Chargen.period.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
        #expect(lines.count == 95)
        #expect(lines.allSatisfy { $0.utf8.count == 73 && $0.hasSuffix("\r") })
        // The first two of the example in RFC 864.
        #expect(lines[0].dropLast() == ##" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg"##)
        #expect(lines[1].dropLast() == ##"!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefgh"##)
        #expect(lines[94].hasPrefix("~ !"))
    }

    @Test func oneChunkIsSentEachTimeThereIsRoom() throws {
        let transport = NotingTransport()
        let chargen = Chargen()
        try chargen.makeConnection(transport)
        #expect(transport.written.isEmpty)
        for count in 1...3 {
            try transport.puller?.resumeProducing()
            #expect(transport.written.count == count)
        }
        #expect(transport.written.allSatisfy { $0 > 0 && $0 % Chargen.period.count == 0 })
    }
}
