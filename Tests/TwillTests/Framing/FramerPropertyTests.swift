import TestSupport
import Testing

@testable import Twill

/// Framers and random streams: at each cut they find what the naive rules in `Checks` find, the rejection and its offset included, and keep the
/// contract of `Framer` on the way.
@Suite("Framers keep their rules at every cut", .nothingLivesOn)
struct FramerPropertyTests {
    typealias Kind = FramingCheckInput.Kind

    /// Fails with the input, which says all that is needed to see it again.
    private func check(_ input: FramingCheckInput, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: Never.self, "\(input)", sourceLocation: sourceLocation) { try input.checkFramer() }
    }

    @Test(arguments: Kind.allCases, Seeds.first(60))
    func framesComeOutAsTheyWentIn(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (input, frames) = FramingCheckInput.random(.random(kind, using: &generator), using: &generator)
        var encoded: [UInt8] = []
        for frame in frames { input.rules.makeFramer().encode(frame, into: &encoded) }
        #expect(encoded == input.stream)
        #expect(input.rules.outcome(of: input.stream) == FramingOutcome(found: frames.map { .frame($0) }))
        check(input)
    }

    @Test(arguments: Kind.allCases, Seeds.first(60))
    func garbageIsReadInOneWay(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let rules = FramingRules.random(kind, using: &generator)
        let stream = rules.randomGarbage(count: .random(in: 0...120, using: &generator), using: &generator)
        check(FramingCheckInput(rules: rules, pieceSizes: FramingCheckInput.randomSizes(using: &generator), stream: stream))
    }

    @Test(arguments: Kind.allCases, Seeds.first(60))
    func oneFlippedBitIsReadInOneWay(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (input, _) = FramingCheckInput.random(.random(kind, using: &generator), using: &generator)
        input.flipBit(using: &generator)
        check(input)
    }

    @Test(arguments: Kind.allCases, Seeds.first(60))
    func aSpoiledFrameIsReadInOneWay(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (input, frames) = FramingCheckInput.random(.random(kind, using: &generator), using: &generator)
        input.spoilStart(of: frames, using: &generator)
        check(input)
    }

    @Test(arguments: Kind.allCases, Seeds.first(4))
    func twoPiecesAreReadAsOneWhereverTheyMeet(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (input, _) = FramingCheckInput.random(.random(kind, using: &generator), frameCount: 3, using: &generator)
        input.flipBit(using: &generator)
        for position in input.stream.indices {
            input.pieceSizes = [position, input.stream.count]
            check(input)
        }
    }

    @Test(arguments: 1...12, Seeds.first(10))
    func delimitersOfTwoLettersAreFound(count: Int, seed: UInt64) {
        var generator = SeededGenerator(seed: seed &* 13 &+ UInt64(count))
        let delimiter = LineDelimiter.letters(count: count, .random(in: 0...4095, using: &generator))
        // Pieces of the delimiter rather than letters, or long ones would never come up.
        let stream = (0..<12).flatMap { _ in
            let part = delimiter.bytes.prefix(.random(in: 0...count, using: &generator))
            return part.dropFirst(.random(in: 0...part.count, using: &generator))
                + (Int.random(in: 0..<3, using: &generator) == 0 ? delimiter.bytes : [])
        }
        for overlong in [OverlongLines.reject, .discard] {
            let rules = FramingRules.lines(delimiter, lengthMax: .random(in: 0...30, using: &generator), overlong: overlong)
            check(FramingCheckInput(rules: rules, pieceSizes: FramingCheckInput.randomSizes(using: &generator), stream: stream))
        }
    }

    @Test(arguments: [LineDelimiter.any, .crlf, .lf], Seeds.first(30))
    func carriageReturnsAndLineFeedsInAnyOrder(delimiter: LineDelimiter, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let stream = (0..<60).map { _ in [10, 13, 13, 120, 120].randomElement(using: &generator) ?? UInt8(10) }
        for overlong in [OverlongLines.reject, .discard] {
            let rules = FramingRules.lines(delimiter, lengthMax: .random(in: 0...8, using: &generator), overlong: overlong)
            check(FramingCheckInput(rules: rules, pieceSizes: FramingCheckInput.randomSizes(using: &generator), stream: stream))
        }
    }

    @Test(arguments: Kind.allCases, [0, 1, 2, 9, 10, 11, 99, 100, 254, 255])
    func theLimitIsTheLongestThatIsTaken(kind: Kind, limit: Int) {
        for excess in -1...1 where limit + excess >= 0 {
            let frame = [UInt8](repeating: 120, count: limit + excess)
            for rules in Self.rules(kind, limit: limit) {
                let stream = rules.encoded([[120].dropLast(limit == 0 ? 1 : 0), frame])
                let input = FramingCheckInput(rules: rules, pieceSizes: [1, 7, 64], stream: stream)
                check(input)
                let rejection = rules.outcome(of: stream).rejection
                #expect((rejection != nil) == (excess > 0), "\(input)")
                if excess > 0 { #expect(rejection?.offset == Self.offset(of: frame, in: input, limit: limit), "\(input)") }
            }
        }
    }

    private static func rules(_ kind: Kind, limit: Int) -> [FramingRules] {
        switch kind {
        case .lines: [LineDelimiter.crlf, .lf, .any, "aab"].map { .lines($0, lengthMax: limit) }
        case .netstrings: [.netstrings(lengthMax: limit)]
        case .strings:
            [1, 2, 4, 8].map { LengthPrefix.bytes($0, .littleEndian) }.filter { $0.lengthMax > limit }.map {
                .strings($0, lengthMax: limit)
            }
        case .packets: []
        }
    }

    /// Where a frame that is a byte too long and the stream's last one breaks the rules.
    private static func offset(of frame: [UInt8], in input: FramingCheckInput, limit: Int) -> Int {
        let start = input.stream.count - input.rules.encoded([frame]).count
        switch input.rules {
        case .lines: return start + limit
        // The length's last digit is the first that makes it too great.
        case .netstrings: return start + "\(frame.count)".count - 1
        case .strings, .packets: return start
        }
    }

    @Test(arguments: [Int.max, .max - 1, 1 << 62, 0, -1, .min])
    func noLimitMakesBytesTrap(limit: Int) {
        let streams = [
            "\(limit):x", "\(Int.max):x,", "9223372036854775808:", "x\r\nxx\r\n", "xx",
            "\u{7F}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}xx",
        ].map(bytes)
        for kind in Kind.allCases {
            for stream in streams {
                for rules in Self.rules(kind, limit: limit) {
                    check(FramingCheckInput(rules: rules, pieceSizes: [1, 3], stream: stream))
                }
            }
        }
    }
}
