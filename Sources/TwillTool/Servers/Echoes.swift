import Twill

/// Sends back every byte (RFC 862).
///
/// A client that sends faster than it reads is not read from until it does: what is written to the connection comes from the connection, so
/// it is its own producer.
final class Echo: Protocol {
    private var holdsBack = false

    override func dataReceived(_ data: Span<UInt8>) throws {
        transport.write(data)
        if data.count >= floodBytesMin, !holdsBack {
            holdsBack = true
            try transport.registerProducer(transport, streaming: true)
        }
    }
}

/// Sends back every line. A line that is too long closes the connection.
///
/// A client that sends faster than it reads is held back, here and below: the receiver is the producer of what it sends.
final class LineEcho: LineReceiver {
    override func connectionMade() throws { try transport.registerProducer(self, streaming: true) }

    override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
}

/// Sends back every netstring. Anything else closes the connection.
final class NetstringEcho: NetstringReceiver {
    override func connectionMade() throws { try transport.registerProducer(self, streaming: true) }

    override func stringReceived(_ string: Span<UInt8>) { sendString(string) }
}

/// Sends back every string with its length in front, a big-endian number of four bytes. A string that is too long closes the connection.
final class Int32Echo: Int32StringReceiver {
    override func connectionMade() throws { try transport.registerProducer(self, streaming: true) }

    override func stringReceived(_ string: Span<UInt8>) throws { try sendString(string) }
}

/// Reads everything and drops it (RFC 863), which is what a protocol does that overrides nothing.
final class Discard: Protocol {}

/// Input of less than this at once is no flood: a connection of small messages needs no producer, and the memory of one is saved.
private let floodBytesMin = 16 << 10
