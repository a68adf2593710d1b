import Testing

@testable import Twill

/// Every way of cutting the same bytes that framers are tried with: whole, in pieces of one to nine bytes.
func everySplit(of input: String) -> [[String]] {
    [[input]] + (1...9).map { chunks(of: input, size: $0) }
}

/// The same bytes in pieces of a size; the last one may be smaller.
func chunks(of input: String, size: Int) -> [String] {
    let all = bytes(input)
    return stride(from: 0, to: all.count, by: size).map { start in
        text(Array(all[start..<min(start + size, all.count)]).span)
    }
}

/// Lends the bytes from the middle of a larger buffer, as a reactor does; what lies around them looks like a part of a frame.
func lend<Outcome>(_ chunk: String, _ body: (Span<UInt8>) throws -> Outcome) rethrows -> Outcome {
    let buffer = bytes("\r\n5:" + chunk + "\r\n,")
    let span = buffer.span
    return try body(span.extracting(4..<span.count - 3))
}

extension Twill::Protocol {
    /// Delivers a chunk as a reactor does.
    func feed(_ chunk: String) throws {
        try lend(chunk) { try dataReceived($0) }
    }
}

/// A row of the catalogue of cases whose outcome does not depend on how the input is cut.
struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let input: String
    let expected: [String]
    let lengthMax: Int

    init(_ name: String, _ input: String, _ expected: [String], lengthMax: Int = 99_999) {
        testDescription = name
        self.input = input
        self.expected = expected
        self.lengthMax = lengthMax
    }
}

/// Expects a receiver to hear the same of an input however that is cut: the same frames and events, the same rejection, and the same bytes
/// left over.
///
/// - Parameter end: called when all of the input was fed.
func expectAtEveryChunking(
    _ input: String, _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation, from make: () throws -> any ScriptedReceiver,
    atTheEnd end: (any ScriptedReceiver) throws -> Void = { _ in }
) throws {
    var first: (rejection: Rejection?, unread: [UInt8])?
    for chunks in everySplit(of: input) {
        let receiver = try make()
        try receiver.hear(chunks)
        try end(receiver)
        let size = chunks.first?.utf8.count ?? 0
        #expect(receiver.heard == expected, "in chunks of \(size)", sourceLocation: sourceLocation)
        let outcome = (receiver.rejection, receiver.unreadBytes)
        let reference = first ?? outcome
        first = reference
        #expect(outcome.0 == reference.rejection, "in chunks of \(size)", sourceLocation: sourceLocation)
        #expect(outcome.1 == reference.unread, "in chunks of \(size)", sourceLocation: sourceLocation)
    }
}
