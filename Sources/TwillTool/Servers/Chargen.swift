import Twill

/// Sends lines of 72 printable characters, each beginning one character further on, for as long as somebody reads them (RFC 864).
///
/// It holds one chunk for all connections, and sends the next only when the last has left: a reader that stops costs nothing more. What is sent
/// to it is dropped.
final class Chargen: Protocol, Producer {
    private static let charactersPerLine = 72
    /// Enough for a chunk that is sent from where it lies, without a copy.
    private static let periodsPerChunk = 9

    /// The lines up to the one after which they begin again: one for each printable character.
    static let period: [UInt8] = {
        let ring = Array(UInt8(ascii: " ")...UInt8(ascii: "~"))
        return ring.indices.flatMap { first in
            (0..<charactersPerLine).map { ring[(first + $0) % ring.count] } + [13, 10]
        }
    }()

    private static let chunk = SharedBytes((0..<periodsPerChunk).flatMap { _ in period })

    override func connectionMade() throws {
        try transport.registerProducer(self, streaming: false)
    }

    func resumeProducing() {
        transport.write(Self.chunk)
    }

    func stopProducing() {}
}
