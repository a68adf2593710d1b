import Twill

/// The message that a load sends over and over, as it stands on the wire, and repeated so that many can be sent and compared at once.
///
/// Its bytes look random and are always the same, so that a reply that is shifted, cut or mixed up does not look right by chance.
struct LoadMessage {
    /// Small messages are repeated up to this size; it fits beside the input in a processor's first cache.
    private static let repeatedBytesMin = 16 << 10
    /// Messages in flight are repeated up to this size. Beyond it, a write for each of them costs next to nothing.
    private static let repeatedBytesMax = 256 << 10
    /// From this size on, what a socket does not take waits by reference and is not copied.
    private static let sharedBytesMin = 32 << 10

    /// One message on the wire.
    let bytes: [UInt8]
    /// A whole number of messages, one after another.
    let repeated: [UInt8]
    /// One message again, where it is so large that it pays.
    let shared: SharedBytes?

    /// How many bytes a message has on the wire, framing included.
    var count: Int { bytes.count }

    /// Makes a message of so many bytes, framing included; one byte less where no netstring has that size.
    ///
    /// - Precondition: `messageBytes` is at least what the framing needs.
    init(framing: LoadFraming, messageBytes: Int, depth: Int) {
        precondition(messageBytes >= framing.messageBytesMin, "a message must be as long as its framing: check the size first")
        let bytes = Self.bytes(framing, messageBytes)
        self.bytes = bytes
        shared = bytes.count >= Self.sharedBytesMin ? SharedBytes(bytes) : nil
        let wanted = max(depth, Self.repeatedBytesMin / bytes.count)
        let times = max(1, min(wanted, Self.repeatedBytesMax / bytes.count))
        repeated = times == 1 ? bytes : Array(repeatElement(bytes, count: times).joined())
    }

    private static func bytes(_ framing: LoadFraming, _ messageBytes: Int) -> [UInt8] {
        switch framing {
        case .raw:
            return noise(messageBytes, from: 0...255)
        case .line:
            return noise(messageBytes - 2, from: UInt8(ascii: "!")...UInt8(ascii: "~")) + [13, 10]
        case .netstring:
            let count = netstringPayload(within: messageBytes)
            return Array("\(count):".utf8) + noise(count, from: 0...255) + [UInt8(ascii: ",")]
        case .int32:
            let count = messageBytes - framing.messageBytesMin
            return bigEndian(count) + noise(count, from: 0...255)
        }
    }

    /// The four bytes of a length, the most significant one first. No message is so long that they would not hold it.
    private static func bigEndian(_ count: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
    }

    /// The length of the longest string whose netstring has at most so many bytes.
    private static func netstringPayload(within messageBytes: Int) -> Int {
        // One digit, the colon and the comma are the least; each further digit costs one turn.
        var count = messageBytes - 3
        while String(count).utf8.count + 1 + count + 1 > messageBytes { count -= 1 }
        return count
    }

    /// Bytes without a pattern, the same ones each time (xorshift, by George Marsaglia).
    private static func noise(_ count: Int, from range: ClosedRange<UInt8>) -> [UInt8] {
        var state: UInt32 = 2_463_534_242
        let choices = UInt32(range.upperBound - range.lowerBound) + 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 17
            state ^= state << 5
            return range.lowerBound + UInt8(truncatingIfNeeded: (state >> 8) % choices)
        }
    }
}
