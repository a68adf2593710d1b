import Testing

@testable import Twill

/// A small generator whose whole state is its seed, so that a failure can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

private func array(_ bytes: Span<UInt8>) -> [UInt8] {
    bytes.indices.map { bytes[$0] }
}

private final class Lines: LineReceiver {
    var frames: [[UInt8]] = []
    override func lineReceived(_ line: Span<UInt8>) { frames.append(array(line)) }
}

private final class Strings: NetstringReceiver {
    var frames: [[UInt8]] = []
    override func stringReceived(_ string: Span<UInt8>) { frames.append(array(string)) }
}

@Suite(.nothingLivesOn) struct FramerPropertyTests {
    static let seeds = (0..<200).map { UInt64($0) &* 7919 &+ 1 }

    /// Feeds the bytes in pieces of random size.
    private func feed(_ stream: [UInt8], to receiver: Twill::Protocol, using generator: inout SeededGenerator) throws {
        var position = 0
        while position < stream.count {
            let count = min(stream.count - position, Int.random(in: 1...40, using: &generator))
            let chunk = Array(stream[position..<position + count])
            try receiver.dataReceived(chunk.span)
            position += count
        }
    }

    @Test("lines come out as they went in, however they are cut", arguments: seeds) func lines(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet: [UInt8] = [13, 10, 97, 98]
        let frames = (0..<20).map { _ -> [UInt8] in
            var frame = (0..<Int.random(in: 0...30, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? 97 }
            // A frame may hold parts of the delimiter, but neither the whole nor, at its end, the beginning.
            while let crlf = frame.indices.dropLast().first(where: { frame[$0] == 13 && frame[$0 + 1] == 10 }) { frame[crlf] = 97 }
            return frame
        }
        let receiver = Lines()
        try feed(frames.flatMap { $0 + [13, 10] }, to: receiver, using: &generator)
        #expect(receiver.frames == frames, "seed \(seed)")
    }

    @Test("netstrings come out as they went in, however they are cut", arguments: seeds) func netstrings(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let frames = (0..<20).map { _ in
            (0..<Int.random(in: 0...120, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        let receiver = Strings()
        try feed(frames.flatMap { bytes("\($0.count):") + $0 + bytes(",") }, to: receiver, using: &generator)
        #expect(receiver.frames == frames, "seed \(seed)")
    }

    @Test("one flipped bit gives the same frames whole and byte by byte", arguments: seeds) func flippedBit(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var stream = (0..<8).flatMap { bytes("\($0 * 3):") + [UInt8](repeating: 65, count: $0 * 3) + bytes(",") }
        stream[Int.random(in: 0..<stream.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        let whole = Strings()
        try whole.dataReceived(stream.span)
        let bytewise = Strings()
        for byte in stream { try bytewise.dataReceived([byte].span) }
        #expect(whole.frames == bytewise.frames, "seed \(seed)")
    }
}
