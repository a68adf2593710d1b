import Twill

/// Sends lines of 72 printable characters, each beginning one character further on, for as long as somebody reads them (RFC 864).
///
/// It holds one chunk for all connections, and sends the next only when the last has left: a reader that stops costs a few bytes and a timer.
/// What is sent to it is dropped.
final class Chargen: Protocol {
    private static let charactersPerLine = 72
    /// Enough for a chunk that is sent from where it lies, without a copy.
    private static let periodsPerChunk = 9
    private static let shortestPause = Duration.milliseconds(1)
    private static let longestPause = Duration.milliseconds(100)

    /// The lines up to the one after which they begin again: one for each printable character.
    static let period: [UInt8] = {
        let ring = Array(UInt8(ascii: " ")...UInt8(ascii: "~"))
        return ring.indices.flatMap { first in
            (0..<charactersPerLine).map { ring[(first + $0) % ring.count] } + [13, 10]
        }
    }()

    private static let chunk = SharedBytes((0..<periodsPerChunk).flatMap { _ in period })

    private var timer: DelayedCall?
    private var pause = Duration.zero

    override func connectionMade() {
        sendWhatThereIsRoomFor()
    }

    override func connectionLost(_ reason: ConnectionLost) {
        if let timer, timer.isActive { try? timer.cancel() }
        timer = nil
    }

    /// Sends a chunk if the last has left, and looks again: on the next turn while the reader keeps up, else after a pause that grows.
    private func sendWhatThereIsRoomFor() {
        if transport.bufferedByteCount == 0 {
            transport.write(Self.chunk)
            pause = .zero
        } else {
            pause = min(max(pause * 2, Self.shortestPause), Self.longestPause)
        }
        timer = transport.reactor.callLater(pause) { [weak self] in self?.sendWhatThereIsRoomFor() }
    }
}
