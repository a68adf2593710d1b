import TestSupport
import Testing

@testable import Twill

/// What receivers send: each frame in one write.
@Suite("Receivers that send", .nothingLivesOn)
struct SendingTests {
    /// A transport that keeps what is written, however much.
    private final class KeepingTransport: Transport {
        private(set) var writes: [[UInt8]] = []

        override init() {
            super.init()
            setState(.connected)
        }

        override func write(_ data: Span<UInt8>) { writes.append(Array(copying: data)) }
    }

    private static let sizes = [0, 1, 7, 8, 9, 255, 100_000, 9_999_999, 10_000_000, 10_000_001]

    private static func body(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x2E, count: count) }

    /// Expects one write of a body between two edges; the body is not looked at byte by byte, which takes long.
    private func expectOne(_ writes: [[UInt8]], _ prefix: String, _ count: Int, _ suffix: String) throws {
        let write = try #require(writes.count == 1 ? writes[0] : nil)
        let (prefix, suffix) = (bytes(prefix), bytes(suffix))
        #expect(write.count == prefix.count + count + suffix.count)
        #expect(Array(write.prefix(prefix.count)) == prefix)
        #expect(Array(write.suffix(suffix.count)) == suffix)
        #expect(count == 0 || write[prefix.count] == 0x2E && write[prefix.count + count - 1] == 0x2E)
    }

    @Test("a line of any length is one write, whatever the delimiter", arguments: sizes)
    func lines(_ count: Int) throws {
        for delimiter: LineDelimiter in ["\n", "\r\n", .any, "12345678", "123456789", "<a delimiter of many bytes>"] {
            let (receiver, wire) = (LineReceiver(delimiter: delimiter, lengthMax: 5), KeepingTransport())
            try receiver.makeConnection(wire)
            receiver.sendLine(Self.body(count))
            try expectOne(wire.writes, "", count, text(delimiter.bytes.span))
        }
    }

    @Test("a netstring of any length is one write", arguments: sizes)
    func netstrings(_ count: Int) throws {
        let (receiver, wire) = (NetstringReceiver(lengthMax: 5), KeepingTransport())
        try receiver.makeConnection(wire)
        receiver.sendString(Self.body(count))
        try expectOne(wire.writes, "\(count):", count, ",")
    }

    @Test("a string with a length prefix is one write", arguments: sizes)
    func strings(_ count: Int) throws {
        for prefix in [LengthPrefix.uint32, .uint64, .uint32(.littleEndian), .uint64(.littleEndian)] {
            let (receiver, wire) = (LengthPrefixReceiver(prefix: prefix, lengthMax: 5), KeepingTransport())
            try receiver.makeConnection(wire)
            try receiver.sendString(Self.body(count))
            let big = (0..<prefix.byteCount).map { UInt8(truncatingIfNeeded: count >> ((prefix.byteCount - 1 - $0) * 8)) }
            let length = prefix.byteOrder == .bigEndian ? big : big.reversed()
            try expectOne(wire.writes, text(length.span), count, "")
        }
    }

    @Test("a frame of a framer is one write, as the framer writes it", arguments: sizes)
    func frames(_ count: Int) throws {
        let (receiver, wire) = (FramedReceiver(NetstringFramer()), KeepingTransport())
        try receiver.makeConnection(wire)
        receiver.sendFrame(Self.body(count))
        try expectOne(wire.writes, "\(count):", count, ",")
    }

    @Test("arrays, texts and lent bytes are sent alike")
    func kindsOfPayload() throws {
        let expected = bytes("h\u{C3}\u{A9}")
        func expectTwice(_ receiver: FrameReceiver, _ prefix: String, _ suffix: String, _ send: () throws -> Void) throws {
            let wire = KeepingTransport()
            try receiver.makeConnection(wire)
            try send()
            let frame = bytes(prefix) + expected + bytes(suffix)
            #expect(wire.writes == [frame, frame, frame])
        }
        let lines = LineReceiver()
        try expectTwice(lines, "", "\r\n") {
            lines.sendLine("hé")
            lines.sendLine(expected)
            lines.sendLine(expected.span)
        }
        let netstrings = NetstringReceiver()
        try expectTwice(netstrings, "3:", ",") {
            netstrings.sendString("hé")
            netstrings.sendString(expected)
            netstrings.sendString(expected.span)
        }
        let strings = Int16StringReceiver()
        try expectTwice(strings, "\0\u{3}", "") {
            try strings.sendString("hé")
            try strings.sendString(expected)
            try strings.sendString(expected.span)
        }
        let frames = FramedReceiver(LineFramer(delimiter: ";"))
        try expectTwice(frames, "", ";") {
            frames.sendFrame(bytes("h\u{C3}\u{A9}"))
            frames.sendFrame(expected)
            frames.sendFrame(expected.span)
        }
    }

    @Test("what is sent is received, whatever the size, over a real connection", arguments: [1, 32_767, 32_768, 70_000, 3_000_000])
    func overARealConnection(_ count: Int) throws {
        final class Echo: Int32StringReceiver {
            override func stringReceived(_ string: Span<UInt8>) throws { try sendString(string) }
        }
        final class Sender: Int32StringReceiver {
            var received: [UInt8] = []
            var count = 0
            override func connectionMade() throws { for _ in 0..<3 { try sendString(SendingTests.body(count)) } }
            override func stringReceived(_ string: Span<UInt8>) throws {
                received += Array(copying: string)
                if received.count >= count * 3 { transport.loseConnection() }
            }
            override func connectionLost(_ reason: ConnectionLost) { transport.reactor.stop() }
        }
        let sender = Sender(lengthMax: count)
        sender.count = count
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Echo(lengthMax: count) }, interface: "127.0.0.1")
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { [weak sender] _ in sender })
        }
        Conformance.expectSame(sender.received, as: Self.body(count * 3))
    }
}
