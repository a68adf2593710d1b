import Twill

/// Sends back every byte (RFC 862).
final class Echo: Protocol {
    override func dataReceived(_ data: Span<UInt8>) {
        transport.write(data)
        if data.count >= Transport.floodBytesMin { transport.holdBackIfFlooded() }
    }
}

/// Sends back every line. A line that is too long closes the connection.
final class LineEcho: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }

    override func dataReceived(_ data: Span<UInt8>) throws {
        try super.dataReceived(data)
        if data.count >= Transport.floodBytesMin { transport.holdBackIfFlooded() }
    }
}

/// Sends back every netstring. Anything else closes the connection.
final class NetstringEcho: NetstringReceiver {
    override func stringReceived(_ string: Span<UInt8>) { sendString(string) }

    override func dataReceived(_ data: Span<UInt8>) throws {
        try super.dataReceived(data)
        if data.count >= Transport.floodBytesMin { transport.holdBackIfFlooded() }
    }
}

/// Reads everything and drops it (RFC 863), which is what a protocol does that overrides nothing.
final class Discard: Protocol {}
