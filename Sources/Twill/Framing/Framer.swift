/// Splits a stream of bytes into frames. Knows nothing of sockets, and so it works on anything: a file, a test, another library's channel.
///
/// ```swift
/// var framer = LineFramer()
/// for chunk in chunks {
///     try framer.forEachFrame(in: chunk.span) { line in print(String(repairing: line)) }
/// }
/// ```
///
/// or, where the caller wants to stop in between:
///
/// ```swift
/// var position = 0
/// while true {
///     switch framer.next(in: bytes.span, at: &position) {
///     case .frame(let range): print(String(repairing: bytes.span.extracting(range)))
///     case .collectedFrame: print(String(repairing: framer.takeCollected().span))
///     case .skipped: continue
///     case .needsMore: return
///     case .rejected(let rejection): throw rejection
///     }
/// }
/// ```
///
/// # Contract
/// - A frame that lies inside one input is told as a range of it, uncopied. One that is split between inputs is collected, as its bytes come
///   and never from a size that was announced; its memory is given up with the frame.
/// - Each byte is looked at once: the time is linear in the bytes, the memory at most one frame of the greatest length.
/// - The same stream gives the same frames and the same rejection however it is cut.
/// - After a rejection every call returns it again, until ``reset()``.
///
/// See also ``LineFramer``, ``NetstringFramer``, ``LengthPrefixFramer``, ``FixedSizeFramer``; a framer of your own is received by a
/// ``FramedReceiver``.
public protocol Framer: Sendable {
    /// Finds the next frame at or after the position, and moves the position behind it.
    ///
    /// Called with the same input until it returns ``FramerStep/needsMore``; from there on the input is not needed any more.
    mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep

    /// Takes out the frame that ``FramerStep/collectedFrame`` told of.
    mutating func takeCollected() -> [UInt8]

    /// The bytes that were taken in of a frame whose end is still to come, as they came over the wire.
    var unfinishedBytes: [UInt8] { get }

    /// How many those are, without a copy of them; 0 between two frames.
    var unfinishedByteCount: Int { get }

    /// Takes those bytes out, so that the next byte begins a frame.
    mutating func takeUnfinishedBytes() -> [UInt8]

    /// How many bytes of the stream came before the input at hand; what offsets in rejections are counted from.
    var streamOffset: Int { get set }

    /// Begins anew with the next byte, whatever was taken in or rejected.
    mutating func reset()

    /// Adds a frame to the output, as it goes over the wire. What the framing cannot express is not checked here.
    func encode(_ frame: Span<UInt8>, into output: inout [UInt8])
}

/// What a framer has found in the next bytes of its input.
public enum FramerStep: Hashable, Sendable {
    /// A frame's payload in this range of the input.
    case frame(Range<Int>)
    /// A frame that began in an earlier input; ``Framer/takeCollected()`` gives it.
    case collectedFrame
    /// No whole frame; the rest of the input was collected.
    case needsMore
    /// A line that is too long is being skipped, as ``OverlongLines/discard`` asks for; told once. The range is the part of it in this
    /// input, and ``Framer/takeCollected()`` gives what came before.
    case skipped(Rejection, Range<Int>)
    /// The input breaks the rules; nothing more will come.
    case rejected(Rejection)
}

extension Framer {
    public mutating func takeUnfinishedBytes() -> [UInt8] {
        // A reset would forget a rejection, behind which nothing is unfinished.
        guard unfinishedByteCount > 0 else { return [] }
        defer { reset() }
        return unfinishedBytes
    }

    /// Calls the closure with every frame that ends in the input, lent for the length of the call. Lines that are skipped are passed over.
    ///
    /// Where the closure throws, what follows its frame in this input is lost.
    ///
    /// - Throws: ``Rejection``, and what the closure throws.
    public mutating func forEachFrame(in input: Span<UInt8>, _ body: (Span<UInt8>) throws -> Void) throws {
        var position = 0
        while try lendNext(in: input, at: &position, body) != nil {}
    }

    /// Lends the next frame to the closure, for the length of the call, and returns what that returns; nil where no more whole frames are in
    /// the input, whose rest was collected. Lines that are skipped are passed over.
    ///
    /// - Throws: ``Rejection``, and what the closure throws.
    @inline(__always)
    mutating func lendNext<Result>(
        in input: Span<UInt8>, at position: inout Int, _ body: (Span<UInt8>) throws -> Result
    ) throws -> Result? {
        while true {
            switch next(in: input, at: &position) {
            case .frame(let range): return try body(input.extracting(range))
            case .collectedFrame:
                let frame = takeCollected()
                return try body(frame.span)
            case .skipped: continue
            case .needsMore: return nil
            case .rejected(let rejection): throw rejection
            }
        }
    }

    /// Adds a frame to the output, as it goes over the wire.
    public func encode(_ frame: [UInt8], into output: inout [UInt8]) {
        let bytes = frame.span
        encode(bytes, into: &output)
    }
}
