/// Splits a stream of bytes into frames of one size; see ``Framer`` for how it is used.
///
/// ```swift
/// var framer = FixedSizeFramer(size: 188)
/// try framer.forEachFrame(in: bytes.span) { packet in print(packet[0] == 0x47) }
/// ```
public struct FixedSizeFramer: Framer {
    /// How many bytes a frame has.
    public let size: Int

    private var collected: [UInt8] = []
    public var streamOffset = 0

    /// Makes a framer.
    ///
    /// - Precondition: the size is at least 1.
    public init(size: Int) {
        precondition(size > 0, "a frame of fixed size needs at least one byte, not \(size)")
        self.size = size
    }

    public mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    public mutating func reset() {
        collected = []
    }

    public var unfinishedBytes: [UInt8] { collected }

    public var unfinishedByteCount: Int { collected.count }

    public func encode(_ frame: Span<UInt8>, into output: inout [UInt8]) {
        output.append(copying: frame)
    }

    public mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        let start = position
        let taken = min(size - collected.count, input.count - start)
        position += taken
        if collected.isEmpty, taken == size { return .frame(start..<position) }
        collected.append(copying: input.extracting(start..<position))
        if collected.count == size { return .collectedFrame }
        streamOffset += input.count
        return .needsMore
    }
}
