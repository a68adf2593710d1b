import Twill

/// Feeds a PROXY header parser a stream that is cut in several ways: it finds what a naive reference finds in the whole, takes no byte more than
/// the header has, and goes on as it promises behind a header and behind an error.
///
/// A fuzzer's first four bytes are the sizes of the pieces, over and over; the others are the stream.
struct ProxyHeaderCheck: CustomStringConvertible {
    let pieceSizes: [Int]
    let stream: [UInt8]

    private static let sizeCount = 4

    init(fuzzed bytes: [UInt8]) {
        let sizes = bytes.prefix(Self.sizeCount).map { Int($0 & 63) }
        pieceSizes = sizes.contains { $0 > 0 } ? sizes : [1]
        stream = Array(bytes.dropFirst(Self.sizeCount))
    }

    var description: String { "pieces of \(pieceSizes), stream \(FramingCheckInput.text(stream))" }

    /// Throws a `Disagreement` where one is found.
    func run() throws {
        let whole = try outcome(of: stream, in: [max(1, stream.count)])
        for sizes in [[1], pieceSizes] {
            let cut = try outcome(of: stream, in: sizes)
            try require(cut == whole, "in pieces of \(sizes): \(cut), in one: \(whole)")
        }
        let reference = ProxyReference(stream)
        try require(whole.asReference == reference, "\(whole), and by the reference \(reference)")
        switch whole {
        case .header(let header, let count):
            try check(header)
            try checkCounts(of: count, whole)
        case .refused(let error):
            try require(stream.indices.contains(error.offset), "\(error): that is not in the stream")
        case .unfinished: break
        }
    }

    /// What becomes of a stream that a new parser is fed until it is through with it.
    private func outcome(of stream: [UInt8], in sizes: [Int]) throws -> ProxyOutcome {
        var parser = ProxyHeaderParser()
        var position = 0
        var turn = 0
        while position < stream.count {
            // An array of its own, so that the address sanitizer sees who reads past its end.
            let piece = Array(stream[position..<min(stream.count, position + sizes[turn % sizes.count])])
            turn += 1
            do {
                if let (header, count) = try parser.parse(piece.span) {
                    let least = piece.isEmpty ? 0 : 1
                    try require((least...piece.count).contains(count), "it took \(count) of \(piece.count) bytes")
                    try require(parser.unfinishedByteCount == 0, "behind a header it holds \(parser.unfinishedByteCount) bytes")
                    return .header(header, position + count)
                }
            } catch let error as ProxyHeaderError {
                try checkRefusal(error, by: &parser)
                return .refused(error)
            }
            position += piece.count
            try require(parser.unfinishedByteCount == position, "of \(position) bytes it holds \(parser.unfinishedByteCount)")
            try require(position < parser.headerBytesMax, "it took \(position) bytes and found nothing")
        }
        return .unfinished
    }

    /// A parser that has refused refuses for good, and holds nothing.
    private func checkRefusal(_ error: ProxyHeaderError, by parser: inout ProxyHeaderParser) throws {
        try require(parser.unfinishedByteCount == 0, "after an error it holds \(parser.unfinishedByteCount) bytes")
        for more in [[], [0x50], stream] {
            var again: ProxyHeaderError?
            do throws(ProxyHeaderError) {
                _ = try parser.parse(more.span)
            } catch {
                again = error
            }
            try require(again == error, "\(error) and then \(String(describing: again))")
        }
    }

    /// The header needs all of its bytes and none that follow; behind it the parser begins anew.
    private func checkCounts(of count: Int, _ whole: ProxyOutcome) throws {
        let alone = Array(stream.prefix(count))
        try require(outcome(of: alone, in: [count]) == whole, "the header alone is another one")
        let shorter = try outcome(of: Array(alone.dropLast()), in: [count])
        try require(shorter == .unfinished, "without its last byte it is \(shorter)")
        var parser = ProxyHeaderParser()
        let unknown = Array("PROXY UNKNOWN\r\nmore".utf8)
        for stream in [stream, unknown, stream] {
            let again = try parser.parse(stream.span).map { ProxyOutcome.header($0.header, $0.byteCount) }
            var fresh = ProxyHeaderParser()
            let expected = try fresh.parse(stream.span).map { ProxyOutcome.header($0.header, $0.byteCount) }
            try require(again == expected, "a parser that is used again found \(String(describing: again))")
        }
    }

    /// All that can be asked of a header has an answer, and its line in a log is one line.
    private func check(_ header: ProxyHeader) throws {
        try require((header.source == nil) == (header.destination == nil), "there is one address and not the other")
        let line = header.description
        try require(line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, "its line is \(line.debugDescription)")
        let texts = [header.alpn, header.authority, header.networkNamespace, header.uniqueIDText, header.ssl?.identity]
        try require(texts.allSatisfy { ($0?.utf8.count ?? 0) <= 3 * stream.count }, "a text is longer than the header")
        try require((header.uniqueID?.count ?? 0) <= 128, "its id has \(header.uniqueID?.count ?? 0) bytes")
        let isTrusted = header.ssl?.identity == nil || header.ssl?.isVerified == true
        try require(isTrusted, "the identity of a client is told that was not verified")
    }
}
