import Twill

@testable import TwillTesting

/// A transport that carries nothing and remembers what it was asked.
final class RecordingTransport: Transport {
    private(set) var events: [String] = []
    private(set) var reason: ConnectionLost?
    var onEvent: (String) -> Void = { _ in }

    override init() {
        super.init()
        setState(.connected)
    }

    private func record(_ event: String) {
        events.append(event)
        onEvent(event)
    }

    override func write(_ data: Span<UInt8>) {
        guard state == .connected else { return }
        record("write(\(text(data)))")
    }

    override func loseConnection() {
        guard state == .connected else { return }
        setState(.disconnecting)
        record("LOSE")
    }

    override func loseConnection(because reason: ConnectionLost) {
        self.reason = reason
        loseConnection()
    }

    override func pauseProducing() { record("pause") }

    override func resumeProducing() { record("resume") }
}

/// Text of at most eight characters as what goes before or behind a frame.
func edge(_ text: String) -> FrameEdge {
    FrameEdge(bytes(text)) ?? .none
}
