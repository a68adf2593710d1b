import Twill

/// Sends back every datagram (RFC 862).
///
/// But for those that say to come from a port below 1024: another echo, or a chargen, may have such a port, and the two would answer each other
/// for ever once somebody has forged the first datagram.
final class UDPEcho: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        guard let port = sender.port, port >= 1024 else { return }
        try transport.write(data, to: sender)
    }
}
