/// A protocol that receives the frames of any framer, one of your own too.
///
/// ```swift
/// final class Packets: FramedReceiver<FixedSizeFramer> {
///     override func frameReceived(_ packet: Span<UInt8>) { sendFrame(packet) }
/// }
/// let factory = Factory { Packets(FixedSizeFramer(size: 188)) }
/// ```
///
/// # Contract
/// - What ``FrameReceiver`` says. The frame is lent for the length of the call.
/// - Input that breaks the framer's rules closes the connection; the reason holds a ``Rejection``.
/// - Lines and strings have receivers of their own, which are faster.
open class FramedReceiver<Framing: Framer>: FrameReceiver {
    private final var framer: Framing

    /// Makes a receiver of the framer's frames.
    public init(_ framer: Framing) {
        self.framer = framer
        super.init()
    }

    /// Called with each frame.
    open func frameReceived(_ frame: Span<UInt8>) throws {
        try stepState(frame)
    }

    /// Sends a frame in one write, as the framer writes it.
    public final func sendFrame(_ frame: Span<UInt8>) {
        var bytes: [UInt8] = []
        framer.encode(frame, into: &bytes)
        currentTransport?.write(bytes)
    }

    /// Sends a frame in one write, as the framer writes it.
    public final func sendFrame(_ frame: [UInt8]) {
        let bytes = frame.span
        sendFrame(bytes)
    }

    final override func nextFrame(in input: Span<UInt8>, at position: inout Int, streamOffset: Int) -> FramerStep {
        framer.streamOffset = streamOffset
        return framer.next(in: input, at: &position)
    }

    final override func deliver(_ frame: Span<UInt8>) throws { try frameReceived(frame) }

    final override func takeCollected() -> [UInt8] { framer.takeCollected() }

    final override var unfinishedBytes: [UInt8] { framer.unfinishedBytes }

    final override func takeUnfinishedBytes() -> [UInt8] { framer.takeUnfinishedBytes() }

    open override var unfinishedByteCount: Int { framer.unfinishedByteCount }
}
