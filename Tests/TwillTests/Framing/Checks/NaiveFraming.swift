import Twill

// What each framing's rules say, read off the whole array by the plainest code there is: no state, no cuts, no care for speed. It was written
// from the documentation and shares nothing with the framers.

/// What the rules say of the bytes that begin with a frame.
enum Verdict: Hashable {
    /// A whole frame, and how many bytes it took on the wire.
    case frame([UInt8], took: Int)
    /// A line that is too long and skipped; nil where its end is still to come. The line ends where its delimiter begins.
    case skipped(line: Int, took: Int)
    case skippedSoFar
    /// A broken rule, and the position of what broke it.
    case rejected(Rejection.Reason, at: Int)
    case needsMore
}

/// What a framing makes of a whole stream.
struct FramingOutcome: Hashable {
    enum Found: Hashable {
        case frame([UInt8])
        case skipped(Rejection)
    }

    var found: [Found] = []
    var rejection: Rejection?
    /// The bytes at the end that belong to a frame whose end is still to come.
    var unfinished: [UInt8] = []
    /// Whether the stream ended inside a line that is skipped.
    var isSkipping = false

    var frames: [[UInt8]] {
        found.compactMap { if case .frame(let frame) = $0 { frame } else { nil } }
    }
}

extension FramingRules {
    func outcome(of stream: [UInt8]) -> FramingOutcome {
        var outcome = FramingOutcome()
        var start = 0
        while true {
            let rest = Array(stream[start...])
            switch verdict(on: rest) {
            case .frame(let frame, let took):
                outcome.found.append(.frame(frame))
                start += took
            case .skipped(_, let took):
                outcome.found.append(.skipped(tooLong(lineAt: start)))
                start += took
            case .skippedSoFar:
                outcome.found.append(.skipped(tooLong(lineAt: start)))
                outcome.isSkipping = true
                return outcome
            case .rejected(let reason, let position):
                outcome.rejection = Rejection(reason, offset: start + position)
                return outcome
            case .needsMore:
                outcome.unfinished = rest
                return outcome
            }
        }
    }

    /// What is told of a line that is too long.
    func tooLong(lineAt start: Int) -> Rejection {
        guard case .lines(let rules) = self else { return Rejection(.other("no line"), offset: start) }
        return Rejection(.lineTooLong(lengthMax: rules.lengthMax), offset: start + rules.lengthMax)
    }

    /// What the rules say of the bytes, of which the first few were already looked at under another limit than today's.
    func verdict(on bytes: [UInt8], settled: Int = 0) -> Verdict {
        switch self {
        case .lines(let rules): rules.verdict(on: bytes)
        case .netstrings(let lengthMax): Self.netstring(bytes, lengthMax: lengthMax, settled: settled)
        case .strings(let prefix, let lengthMax): Self.string(bytes, prefix: prefix, lengthMax: lengthMax, settled: settled)
        case .packets(let size): bytes.count < size ? .needsMore : .frame(Array(bytes.prefix(size)), took: size)
        }
    }

    private static func netstring(_ bytes: [UInt8], lengthMax: Int, settled: Int) -> Verdict {
        let digits = bytes.prefix { (48...57).contains($0) }
        for count in 1..<max(1, digits.count + 1) {
            if count > 1, digits[0] == 48 { return .rejected(.badNetstringLength, at: count - 1) }
            let isTooLong = isDecimal(digits.prefix(count), above: lengthMax)
            if count > settled, isTooLong { return .rejected(.stringTooLong(lengthMax: lengthMax), at: count - 1) }
        }
        guard digits.count < bytes.count else { return .needsMore }
        guard !digits.isEmpty, bytes[digits.count] == 58 else { return .rejected(.badNetstringLength, at: digits.count) }
        let payload = bytes.dropFirst(digits.count + 1)
        guard let length = Int(String(decoding: digits, as: UTF8.self)), payload.count > length else { return .needsMore }
        let comma = payload.startIndex + length
        guard bytes[comma] == 44 else { return .rejected(.missingComma, at: comma) }
        return .frame(Array(payload.prefix(length)), took: comma + 1)
    }

    /// Whether decimal digits say more than a number, whatever their count: by comparing them as text.
    private static func isDecimal(_ digits: ArraySlice<UInt8>, above number: Int) -> Bool {
        guard number >= 0 else { return true }
        let limit = Array("\(number)".utf8)
        return digits.count != limit.count ? digits.count > limit.count : limit.lexicographicallyPrecedes(digits)
    }

    private static func string(_ bytes: [UInt8], prefix: LengthPrefix, lengthMax: Int, settled: Int) -> Verdict {
        guard bytes.count >= prefix.byteCount else { return .needsMore }
        let announced = bytes.prefix(prefix.byteCount)
        let digits = prefix.byteOrder == .bigEndian ? Array(announced) : announced.reversed()
        let length = digits.reduce(UInt64(0)) { $0 * 256 + UInt64($1) }
        if settled < prefix.byteCount, length > UInt64(max(0, lengthMax)) { return .rejected(.stringTooLong(lengthMax: lengthMax), at: 0) }
        let payload = bytes.dropFirst(prefix.byteCount)
        guard UInt64(payload.count) >= length else { return .needsMore }
        return .frame(Array(payload.prefix(Int(length))), took: prefix.byteCount + Int(length))
    }
}

extension FramingRules.LineRules {
    fileprivate func verdict(on bytes: [UInt8]) -> Verdict {
        guard let end = end(in: bytes) else {
            // As many bytes as the longest line and its delimiter have, and no delimiter among them.
            guard bytes.count - delimiter.bytes.count >= lengthMax else { return .needsMore }
            return overlong == .discard ? .skippedSoFar : .rejected(.lineTooLong(lengthMax: lengthMax), at: lengthMax)
        }
        if end.line <= lengthMax { return .frame(Array(bytes.prefix(end.line)), took: end.next) }
        return overlong == .discard
            ? .skipped(line: end.line, took: end.next) : .rejected(.lineTooLong(lengthMax: lengthMax), at: lengthMax)
    }

    /// Where the first line ends, and where the next one begins.
    func end(in bytes: [UInt8]) -> (line: Int, next: Int)? {
        if delimiter == .any {
            guard let lineFeed = bytes.firstIndex(of: 10) else { return nil }
            let followsReturn = lineFeed > 0 && bytes[lineFeed - 1] == 13
            return (followsReturn ? lineFeed - 1 : lineFeed, lineFeed + 1)
        }
        guard let line = bytes.indices.first(where: { bytes[$0...].starts(with: delimiter.bytes) }) else { return nil }
        return (line, line + delimiter.bytes.count)
    }
}
