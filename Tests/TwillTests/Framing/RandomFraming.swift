import Twill

// Rules, frames and streams from a seed.

extension FramingRules {
    /// Some rules of this kind, with a limit that frames of a few bytes can reach.
    static func random(_ kind: FramingCheckInput.Kind, using generator: inout SeededGenerator) -> FramingRules {
        let limit = Int.random(in: 0...40, using: &generator)
        switch kind {
        case .lines:
            let letters = LineDelimiter.letters(count: .random(in: 1...12, using: &generator), .random(in: 0...4095, using: &generator))
            let delimiter = [.crlf, .lf, .any, letters].randomElement(using: &generator) ?? .crlf
            return .lines(delimiter, lengthMax: limit, overlong: .random(using: &generator) ? .discard : .reject)
        case .netstrings: return .netstrings(lengthMax: limit)
        case .strings:
            let count = [1, 2, 4, 8].randomElement(using: &generator) ?? 1
            return .strings(.bytes(count, .random(using: &generator) ? .bigEndian : .littleEndian), lengthMax: limit)
        case .packets: return .packets(size: limit + 1)
        }
    }

    /// The bytes that matter to these rules, and a few others.
    private var alphabet: [UInt8] {
        switch self {
        case .lines(let rules): Array(Set(rules.delimiter.bytes)).sorted() + [120]
        case .netstrings: Array("0123456789:,x".utf8)
        case .strings, .packets: [0, 0, 1, 2, 3, 40, 41, 255]
        }
    }

    /// Bytes of no meaning, which may turn out to have one.
    func randomGarbage(count: Int, using generator: inout SeededGenerator) -> [UInt8] {
        let alphabet = alphabet
        return (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
    }

    /// A frame that keeps the rules, often one as long as it may be.
    func randomFrame(using generator: inout SeededGenerator) -> [UInt8] {
        let limit: Int
        switch self {
        case .lines(let rules): limit = rules.lengthMax
        case .netstrings(let lengthMax), .strings(_, let lengthMax): limit = lengthMax
        case .packets(let size): return randomGarbage(count: size, using: &generator)
        }
        for _ in 0..<20 {
            let count = Bool.random(using: &generator) ? Int.random(in: 0...limit, using: &generator) : limit
            let frame = randomGarbage(count: count, using: &generator)
            // A line may hold parts of the delimiter, and even begin it at its end, but must not make a whole one early.
            if outcome(of: encoded([frame])).frames == [frame] { return frame }
        }
        return []
    }

    /// The frames as they go over the wire, written by hand.
    func encoded(_ frames: [[UInt8]]) -> [UInt8] {
        frames.flatMap { frame -> [UInt8] in
            switch self {
            case .lines(let rules): return frame + rules.delimiter.bytes
            case .netstrings: return Array("\(frame.count):".utf8) + frame + [44]
            case .strings(let prefix, _):
                let digits = (0..<prefix.byteCount).map { UInt8(truncatingIfNeeded: frame.count >> (8 * $0)) }
                return (prefix.byteOrder == .bigEndian ? digits.reversed() : digits) + frame
            case .packets: return frame
            }
        }
    }
}

extension FramingCheckInput {
    /// Rules, and frames that keep them; nothing is done with them yet.
    static func random(
        _ rules: FramingRules, frameCount: Int = 8, using generator: inout SeededGenerator
    ) -> (input: FramingCheckInput, frames: [[UInt8]]) {
        let frames = (0..<frameCount).map { _ in rules.randomFrame(using: &generator) }
        return (FramingCheckInput(rules: rules, pieceSizes: randomSizes(using: &generator), stream: rules.encoded(frames)), frames)
    }

    static func randomSizes(using generator: inout SeededGenerator) -> [Int] {
        (0..<5).map { _ in Int.random(in: 0...20, using: &generator) }
    }

    /// Makes one bit of the stream another one.
    mutating func flipBit(using generator: inout SeededGenerator) {
        guard let position = stream.indices.randomElement(using: &generator) else { return }
        stream[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    }

    /// Puts a byte too many before one of the frames that the stream is made of, or takes its first byte away.
    mutating func spoilStart(of frames: [[UInt8]], using generator: inout SeededGenerator) {
        let before = frames.prefix(.random(in: 0..<max(1, frames.count), using: &generator))
        let start = rules.encoded(Array(before)).count
        if Int.random(in: 0..<4, using: &generator) > 0 {
            stream.insert(contentsOf: rules.randomGarbage(count: 1, using: &generator), at: start)
        } else if start < stream.count {
            stream.remove(at: start)
        }
    }
}
