import TestSupport
import Testing

@testable import Twill

/// Receivers and random streams: they deliver what the framers find, whatever their callbacks do meanwhile; what that is says a model.
@Suite("Receivers deliver what their model says", .nothingLivesOn)
struct ReceiverPropertyTests {
    typealias Kind = FramingCheckInput.Kind

    private func check(_ input: FramingCheckInput, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: Never.self, "\(input)", sourceLocation: sourceLocation) {
            try input.checkReceiver(isFramed: false)
            try input.checkReceiver(isFramed: true)
        }
    }

    /// A stream of frames, most with a few bytes of garbage somewhere or a flipped bit.
    private func randomInput(_ kind: Kind, using generator: inout SeededGenerator) -> FramingCheckInput {
        let rules = FramingRules.random(kind, using: &generator)
        var (input, frames) = FramingCheckInput.random(rules, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: input.flipBit(using: &generator)
        case 1:
            let position = Int.random(in: 0...input.stream.count, using: &generator)
            input.stream.insert(contentsOf: rules.randomGarbage(count: 12, using: &generator), at: position)
        case 2: input.spoilStart(of: frames, using: &generator)
        case 3: input.stream += rules.randomGarbage(count: 40, using: &generator)
        default: break
        }
        input.hasTransport = .random(using: &generator)
        return input
    }

    @Test(arguments: Kind.allCases, Seeds.first(60))
    func receiversOnlyListening(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        check(randomInput(kind, using: &generator))
    }

    @Test(arguments: Kind.allCases, Seeds.first(100))
    func receiversThatDoThings(kind: Kind, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var input = randomInput(kind, using: &generator)
        input.deeds = (0..<40).map { _ in UInt8.random(in: 0...255, using: &generator) }
        check(input)
    }

    /// What a receiver sends, as one that is connected to nothing else would hear it.
    private func wire(_ receiver: FrameReceiver, _ send: () throws -> Void) throws -> [UInt8] {
        let transport = WritingTransport()
        try receiver.makeConnection(transport)
        try send()
        return transport.written
    }

    @Test(arguments: Kind.allCases, Seeds.first(30))
    func whatIsSentIsReceived(kind: Kind, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let (input, frames) = FramingCheckInput.random(.random(kind, using: &generator), using: &generator)
        let written: [UInt8]
        switch input.rules {
        case .lines(let rules):
            let sender = LineReceiver(delimiter: rules.delimiter)
            written = try wire(sender) { for frame in frames { sender.sendLine(frame) } }
        case .netstrings:
            let sender = NetstringReceiver()
            written = try wire(sender) { for frame in frames { sender.sendString(frame) } }
        case .strings(let prefix, _):
            let sender = LengthPrefixReceiver(prefix: prefix)
            written = try wire(sender) { for frame in frames { try sender.sendString(frame) } }
        case .packets(let size):
            let sender = FramedReceiver(FixedSizeFramer(size: size))
            written = try wire(sender) { for frame in frames { sender.sendFrame(frame) } }
        }
        #expect(written == input.stream)
    }

    /// Lines that announce how many raw bytes follow, heard at a few cuts: what is a line and what is not does not depend on them.
    @Test(arguments: Seeds.first(60))
    func linesAndRawBytesInTurnAreHeardTheSameAtEveryCut(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let delimiter = [LineDelimiter.crlf, .lf, .any, "aab"].randomElement(using: &generator) ?? .crlf
        let alphabet = delimiter.bytes + [120]
        var input = FramingCheckInput(
            rules: .lines(delimiter, lengthMax: 20), pieceSizes: FramingCheckInput.randomSizes(using: &generator), stream: [])
        var expected: [Upload.Heard] = []
        for _ in 0..<8 {
            let raw = (0..<Int.random(in: 0...30, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? 120 }
            input.stream += bytes("\(raw.count)") + delimiter.bytes + raw
            expected += raw.isEmpty ? [.line("0")] : [.line("\(raw.count)"), .raw(raw)]
        }
        for pieces in input.cuts {
            let receiver = Upload(delimiter: delimiter, lengthMax: 20)
            for piece in pieces where !piece.isEmpty { try receiver.dataReceived(input.stream[piece].span) }
            #expect(receiver.heard == expected, "in \(pieces.count) pieces: \(input)")
        }
    }
}

/// Remembers what is written.
private final class WritingTransport: Transport {
    var written: [UInt8] = []

    override init() {
        super.init()
        setState(.connected)
    }

    override func write(_ data: Span<UInt8>) { written += data.indices.map { data[$0] } }
}

/// Takes as many raw bytes behind a line as it says.
private final class Upload: LineReceiver {
    enum Heard: Equatable {
        case line(String)
        case raw([UInt8])
    }

    var heard: [Heard] = []
    private var raw: [UInt8] = []
    private var missing = 0

    override func lineReceived(_ line: Span<UInt8>) {
        heard.append(.line(text(line)))
        missing = Int(text(line)) ?? 0
        if missing > 0 { setRawMode() }
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        let count = min(missing, data.count)
        raw += (0..<count).map { data[$0] }
        missing -= count
        guard missing == 0 else { return }
        heard.append(.raw(raw))
        raw = []
        try setLineMode(data.extracting(count...))
    }
}
