import Testing
import Twill

@testable import TwillTool

/// The pattern of the chargen server, and that it waits for its reader.
struct ChargenTests {
    /// A connection whose peer takes nothing, until it takes everything; then the first write ends the loop.
    private final class StalledTransport: Transport {
        let loop: LibeventReactor
        var written = 0
        var isStalled = true

        init(_ loop: LibeventReactor) {
            self.loop = loop
            super.init()
            setState(.connected)
        }

        override func write(_ data: Span<UInt8>) {
            written += data.count
            if !isStalled { loop.crash() }
        }

        override var bufferedByteCount: Int { isStalled ? written : 0 }
        override var reactor: any Reactor { loop }
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

    @Test func stalledReaderGetsOneChunkUntilItReads() throws {
        let reactor = try LibeventReactor()
        let transport = StalledTransport(reactor)
        let chargen = Chargen()
        try chargen.makeConnection(transport)
        let chunk = transport.written
        #expect(chunk > 0 && chunk % Chargen.period.count == 0)

        reactor.callLater(.milliseconds(50)) { reactor.crash() }
        try reactor.run(installSignalHandlers: false)
        #expect(transport.written == chunk)

        transport.isStalled = false
        let deadline = reactor.callLater(.seconds(10)) { reactor.crash() }
        try reactor.run(installSignalHandlers: false)
        #expect(transport.written == 2 * chunk)
        #expect(deadline.isActive)
    }

    @Test func timerEndsWithTheConnection() throws {
        let reactor = try LibeventReactor()
        let chargen = Chargen()
        try chargen.makeConnection(StalledTransport(reactor))
        #expect(reactor.delayedCalls.count == 1)
        chargen.connectionLost(.done)
        #expect(reactor.delayedCalls.isEmpty)
    }
}
