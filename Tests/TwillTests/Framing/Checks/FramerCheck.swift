import Twill

/// Feeds a framer a stream that is cut in several ways, and holds it to the contract of `Framer` at each step.
///
/// One framer goes through all of it, reset in between: what is left of one stream must not show in the next.
struct FramerCheck<Framing: Framer> {
    private var framer: Framing
    private let input: FramingCheckInput
    private let expected: FramingOutcome

    private init(_ framer: Framing, _ input: FramingCheckInput) {
        self.framer = framer
        self.input = input
        expected = input.rules.outcome(of: input.stream)
    }

    fileprivate static func run(_ framer: Framing, _ input: FramingCheckInput) throws {
        var check = FramerCheck(framer, input)
        for (number, pieces) in input.cuts.enumerated() {
            // The beginning of a line that is skipped is taken by some and left by others.
            try check.feed(pieces, takesSkipped: number != 1)
        }
        try check.feedByForEach(input.pieces)
        try check.encodeAgain()
    }

    private mutating func feed(_ pieces: [Range<Int>], takesSkipped: Bool) throws {
        framer.reset()
        framer.streamOffset = 0
        var outcome = FramingOutcome()
        for piece in pieces where outcome.rejection == nil {
            // An array of its own, so that the address sanitizer sees who reads past its end.
            let bytes = Array(input.stream[piece])
            try feed(bytes, from: piece.lowerBound, takesSkipped: takesSkipped, into: &outcome)
        }
        if outcome.rejection == nil {
            outcome.unfinished = framer.unfinishedBytes
            outcome.isSkipping = framer.unfinishedByteCount > framer.unfinishedBytes.count
            try takeUnfinished()
        }
        try require(outcome == expected, "in \(pieces.count) pieces: found \(outcome), expected \(expected)")
    }

    /// Feeds one piece, which begins at this offset of the stream.
    private mutating func feed(_ bytes: [UInt8], from offset: Int, takesSkipped: Bool, into outcome: inout FramingOutcome) throws {
        var position = 0
        // Each step but the last takes at least one byte.
        for _ in 0...bytes.count {
            let before = position
            let step = framer.next(in: bytes.span, at: &position)
            try require(before <= position && position <= bytes.count, "the position went from \(before) to \(position) of \(bytes.count)")
            switch step {
            case .frame(let range):
                try require(
                    before <= range.lowerBound && range.upperBound <= position, "the frame \(range) is not in \(before)..<\(position)")
                outcome.found.append(.frame(Array(bytes[range])))
            case .collectedFrame:
                outcome.found.append(.frame(framer.takeCollected()))
                try require(framer.takeCollected().capacity == 0, "the memory of a frame outlives it")
            case .skipped(let rejection, let range):
                outcome.found.append(.skipped(rejection))
                if takesSkipped { try takeSkipped(rejection, bytes[range]) }
            case .needsMore:
                try require(position == bytes.count, "it needs more and left bytes from \(position) on")
                return try lookInside(at: offset + bytes.count)
            case .rejected(let rejection):
                outcome.rejection = rejection
                return try rejectAgain(rejection)
            }
        }
        throw Disagreement(description: "it found more in \(bytes.count) bytes than they have")
    }

    /// What is told of a line that is skipped must be its beginning.
    private mutating func takeSkipped(_ rejection: Rejection, _ part: ArraySlice<UInt8>) throws {
        guard case .lines(let rules) = input.rules else { throw Disagreement(description: "something was skipped that is no line") }
        let told = framer.takeCollected() + part
        let start = rejection.offset - rules.lengthMax
        try require((0...input.stream.count).contains(start), "a line is said to begin at \(start)")
        try require(input.stream[start...].starts(with: told), "it told \(told) of the line at \(start)")
        try require(told.count > rules.lengthMax, "it told only \(told.count) bytes of a line that is too long")
    }

    /// Between two inputs: offsets are right, and nothing is held but the bytes that came of one frame.
    private func lookInside(at offset: Int) throws {
        try require(framer.streamOffset == offset, "the stream's offset is \(framer.streamOffset), not \(offset)")
        let unfinished = framer.unfinishedBytes
        let arrived = input.stream.prefix(offset)
        try require(Array(arrived.suffix(unfinished.count)) == unfinished, "unfinished are \(unfinished) at \(offset)")
        let count = framer.unfinishedByteCount
        try require(count == unfinished.count || unfinished.isEmpty && count <= offset, "\(count) bytes are unfinished: \(unfinished)")
        var copy = framer
        let held = copy.takeCollected()
        try require(held.count <= max(0, input.rules.heldCountMax), "\(held.count) bytes are held")
        // An array grows by doubling: more room than that was made for bytes that were only announced.
        try require(held.capacity <= 2 * held.count + 64, "there is room for \(held.capacity) bytes, and \(held.count) have come")
    }

    private mutating func rejectAgain(_ rejection: Rejection) throws {
        for bytes in [[], [0], input.stream] {
            var position = 0
            try require(framer.next(in: bytes.span, at: &position) == .rejected(rejection), "a rejection was taken back")
        }
    }

    /// Who takes the beginning of a frame away begins a new one, unless a line is being skipped.
    private mutating func takeUnfinished() throws {
        let unfinished = framer.unfinishedBytes
        try require(framer.takeUnfinishedBytes() == unfinished, "other bytes were taken than are unfinished")
        try require(framer.unfinishedBytes.isEmpty, "unfinished bytes stayed")
        guard !expected.isSkipping, let frame = input.rules.sampleFrame else { return }
        var encoded: [UInt8] = []
        framer.encode(frame, into: &encoded)
        guard input.rules.outcome(of: encoded).frames == [frame] else { return }
        var position = 0
        let step = framer.next(in: encoded.span, at: &position)
        guard case .frame(let range) = step else { throw Disagreement(description: "no frame behind unfinished bytes: \(step)") }
        try require(Array(encoded[range]) == frame, "another frame behind unfinished bytes: \(range) of \(encoded)")
    }

    private mutating func feedByForEach(_ pieces: [Range<Int>]) throws {
        framer.reset()
        framer.streamOffset = 0
        var frames: [[UInt8]] = []
        var thrown: Rejection?
        do {
            for piece in pieces {
                let bytes = Array(input.stream[piece])
                try framer.forEachFrame(in: bytes.span) { frame in frames.append(frame.indices.map { frame[$0] }) }
            }
        } catch let rejection as Rejection {
            thrown = rejection
        }
        try require(frames == expected.frames, "by forEachFrame: \(frames), expected \(expected.frames)")
        try require(thrown == expected.rejection, "forEachFrame threw \(String(describing: thrown)), expected \(expected)")
    }

    /// What was decoded and is encoded again decodes to the same.
    private func encodeAgain() throws {
        guard !expected.frames.isEmpty else { return }
        var encoded: [UInt8] = []
        for frame in expected.frames {
            framer.encode(frame, into: &encoded)
        }
        let again = input.rules.outcome(of: encoded)
        let isSame = again.frames == expected.frames && again.rejection == nil && again.unfinished.isEmpty
        try require(isSame, "encoded again: \(again), expected \(expected.frames)")
        if input.rules.isCanonical { try require(input.stream.starts(with: encoded), "encoded again: \(encoded)") }
    }
}

extension FramingCheckInput {
    /// Checks the framer that the rules ask for.
    func checkFramer() throws {
        try rules.makeFramer().check(self)
    }
}

extension Framer {
    fileprivate func check(_ input: FramingCheckInput) throws {
        try FramerCheck.run(self, input)
    }
}
