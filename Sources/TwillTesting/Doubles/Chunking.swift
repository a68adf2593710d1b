/// One way of cutting bytes into the pieces in which a network may deliver them.
///
/// A stream has no message boundaries, so a protocol must do the same whatever the cuts are: ``everyChunking(of:)-([UInt8])`` lists the ways to try.
public struct Chunking: Hashable, Sendable {
    private enum Way: Hashable {
        case size(Int)
        case cuts([Int])
    }

    private let way: Way

    /// All in one piece.
    public static let whole = Chunking(way: .cuts([]))

    /// Each byte for itself.
    public static let byteByByte = Chunking(way: .size(1))

    /// Pieces of one size, of which the last may be shorter; a size below 1 counts as 1.
    public static func pieces(of size: Int) -> Chunking {
        Chunking(way: .size(max(1, size)))
    }

    /// Cuts before the bytes with these numbers, the first byte being number 0. Those that would cut nothing off are passed over.
    public static func cut(at positions: Int...) -> Chunking {
        Chunking(way: .cuts(positions.sorted()))
    }

    fileprivate static func cuts(_ positions: [Int]) -> Chunking {
        Chunking(way: .cuts(positions))
    }

    /// Where the pieces of so many bytes lie. None of them is empty.
    public func pieces(ofCount count: Int) -> [Range<Int>] {
        let cuts =
            switch way {
            case .size(let size): Array(stride(from: size, to: count, by: size))
            case .cuts(let cuts): cuts.filter { 0 < $0 && $0 < count }
            }
        let edges = [0] + cuts + [count]
        return zip(edges, edges.dropFirst()).compactMap { $0 < $1 ? $0..<$1 : nil }
    }
}

extension Chunking: CustomStringConvertible {
    public var description: String {
        switch way {
        case .size(1): "byte by byte"
        case .size(let size): "pieces of \(size)"
        case .cuts([]): "whole"
        case .cuts(let cuts): "cut at \(cuts.map(String.init).joined(separator: ", "))"
        }
    }
}

/// The most bytes of which every way to cut them is tried; their number doubles with each byte.
private let everyCutBytesMax = 10

/// The ways of cutting an input that are worth trying.
///
/// Of up to ten bytes, every way that there is. Of more, all in one piece, all pieces of one size from 1 on, and every single cut: twice as many
/// ways as bytes, so a whole test grows with the square of the input.
///
/// ```swift
/// @Test(arguments: everyChunking(of: "5:hello,0:,"))
/// func theSameWhateverTheCuts(_ chunking: Chunking) throws {
///     let transport = try feed(Echo(), "5:hello,0:,", chunked: chunking)
///     #expect(transport.text == "5:hello,0:,")
/// }
/// ```
public func everyChunking(of bytes: [UInt8]) -> [Chunking] {
    let count = bytes.count
    guard count > 1 else { return [.whole] }
    guard count > everyCutBytesMax else {
        return (0..<1 << (count - 1)).map { choice in
            .cuts((1..<count).filter { choice >> ($0 - 1) & 1 == 1 })
        }
    }
    return [.whole] + (1..<count).map { .pieces(of: $0) } + (1..<count).map { .cut(at: $0) }
}

/// The ways of cutting a text's UTF-8 that are worth trying; see ``everyChunking(of:)-([UInt8])``.
public func everyChunking(of text: String) -> [Chunking] {
    everyChunking(of: Array(text.utf8))
}
