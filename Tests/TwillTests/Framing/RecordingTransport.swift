import Twill

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

/// Bytes as text, one character a byte, so that anything can be written in an expectation.
func text(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in bytes.indices {
        text.unicodeScalars.append(Unicode.Scalar(bytes[index]))
    }
    return text
}

/// Text as bytes, one byte a character.
func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

/// Text of at most eight characters as what goes before or behind a frame.
func edge(_ text: String) -> FrameEdge {
    FrameEdge(bytes(text)) ?? .none
}

/// Every way of cutting the same bytes that framers are tried with: whole, in pieces of one to nine bytes.
func everyChunking(of input: String) -> [[String]] {
    let all = bytes(input)
    return [[input]]
        + (1...9).map { size in
            stride(from: 0, to: all.count, by: size).map { start in
                text(Array(all[start..<min(start + size, all.count)]).span)
            }
        }
}

extension Twill::Protocol {
    /// Delivers a chunk as a reactor does: lent from the middle of a larger buffer.
    func feed(_ chunk: String) throws {
        let buffer = bytes("\r\n5:" + chunk + "\r\n,")
        let span = buffer.span
        try dataReceived(span.extracting(4..<span.count - 3))
    }
}
