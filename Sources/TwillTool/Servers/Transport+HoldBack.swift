import Twill

// What keeps an echo from growing without bounds: a client that sends faster than it reads is not read from for a while. Without it the
// connection would be aborted at the limit of unsent bytes.

extension Transport {
    /// Input of less than this at once is no flood, so a server of small messages need not look any further.
    static let floodBytesMin = 16 << 10
    /// A client may send so much before it begins to read; half of the usual limit of unsent bytes.
    private static let heldBytesHigh = 8 << 20
    private static let heldBytesLow = 1 << 20
    private static let pause = Duration.milliseconds(1)

    /// Where very much waits to be sent, stops reading until most of it has left.
    func holdBackIfFlooded() {
        guard bufferedByteCount > Self.heldBytesHigh else { return }
        pauseProducing()
        resumeWhenSent()
    }

    private func resumeWhenSent() {
        reactor.callLater(Self.pause) { [weak self] in
            guard let self, state == .connected else { return }
            if bufferedByteCount > Self.heldBytesLow {
                resumeWhenSent()
            } else {
                resumeProducing()
            }
        }
    }
}
