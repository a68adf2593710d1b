/// Takes the PROXY header off the beginning of a stream, of version 1 or 2. Knows nothing of sockets, nor of whom to trust.
///
/// ```swift
/// var parser = ProxyHeaderParser()
/// for chunk in chunks {
///     guard let (header, byteCount) = try parser.parse(chunk.span) else { continue }
///     print("\(header) has \(byteCount) bytes, and \(chunk[byteCount...]) come after it")
///     break
/// }
/// ```
///
/// # Contract
/// - It takes the header's bytes and not one more; ``parse(_:)`` tells how many of the input those were.
/// - The same stream gives the same header or the same error however it is cut. What can't become a header is refused at the byte that shows it:
///   HTTP and TLS at one of their first, a line at its end, a binary header when its length is known or when it is whole.
/// - Memory is taken as bytes come, never because a length was announced, and at most for ``headerBytesMax`` bytes.
/// - It accepts every header that the specification allows, and nothing else: one space between the fields, no signs, no leading zeros,
///   CR LF and nothing like it. What comes behind UNKNOWN in a line, and the rest of a LOCAL header, is skipped unread.
/// - After an error every call throws it again.
///
/// Twisted: `twisted.protocols.haproxy`, which drops headers that come in pieces, and takes numbers as Python does.
public struct ProxyHeaderParser: Sendable {
    /// The most bytes that a line of version 1 may have, its end included; the specification says so.
    public static let lineBytesMax = 107

    /// The most bytes that a header of version 2 may have.
    public let headerBytesMax: Int

    // The header so far; its count is the place in the stream.
    private var collected: [UInt8] = []
    // How many bytes the header has; nil while that is not known.
    private var wholeCount: Int?
    private var error: ProxyHeaderError?

    /// Makes a parser.
    ///
    /// - Parameter headerBytesMax: the most bytes that a header of version 2 may have. A proxy sends it in one segment, of 1460 bytes on most networks;
    ///   4 KiB leave room for a certificate's long names, and keep a peer that announces 65535 bytes from having them stored.
    public init(headerBytesMax: Int = 4096) {
        self.headerBytesMax = headerBytesMax
    }

    /// How many bytes of a header were taken in whose end is still to come.
    public var unfinishedByteCount: Int { collected.count }

    /// Takes in the next bytes of the stream.
    ///
    /// - Returns: the header and how many bytes of this input belong to it; nil where all of them do and its end is still to come. Behind
    ///   the header the parser begins anew.
    public mutating func parse(_ input: Span<UInt8>) throws(ProxyHeaderError) -> (header: ProxyHeader, byteCount: Int)? {
        if let error { throw error }
        do throws(ProxyHeaderError) {
            var position = 0
            while position < input.count {
                position += try take(input, from: position)
                if collected.count == wholeCount {
                    let header = try decoded()
                    collected = []
                    wholeCount = nil
                    return (header, position)
                }
            }
            return nil
        } catch {
            self.error = error
            collected = []
            throw error
        }
    }

    private func decoded() throws(ProxyHeaderError) -> ProxyHeader {
        isLine ? try ProxyHeader(line: collected) : try ProxyHeader(binary: collected)
    }

    private var isLine: Bool { collected.first == ProxyHeader.linePrefix[0] }

    /// Takes in some bytes, at least one; how many.
    private mutating func take(_ input: Span<UInt8>, from position: Int) throws(ProxyHeaderError) -> Int {
        if let wholeCount {
            let count = min(wholeCount - collected.count, input.count - position)
            collected.append(copying: input.extracting(position..<position + count))
            return count
        }
        let byte = input[position]
        collected.append(byte)
        if isLine {
            try checkLine(byte, at: collected.count - 1)
        } else {
            try checkBinary(byte, at: collected.count - 1)
        }
        return 1
    }

    private mutating func checkLine(_ byte: UInt8, at offset: Int) throws(ProxyHeaderError) {
        if offset < ProxyHeader.linePrefix.count {
            guard byte == ProxyHeader.linePrefix[offset] else { throw ProxyHeaderError(.noHeader, offset: offset) }
            return
        }
        let endsLine = byte == UInt8(ascii: "\n")
        guard endsLine == (collected[offset - 1] == UInt8(ascii: "\r")) else { throw ProxyHeaderError(.badLineEnd, offset: offset) }
        if endsLine {
            wholeCount = collected.count
        } else if collected.count == Self.lineBytesMax {
            throw ProxyHeaderError(.lineTooLong, offset: offset)
        }
    }

    private mutating func checkBinary(_ byte: UInt8, at offset: Int) throws(ProxyHeaderError) {
        switch offset {
        case ..<ProxyHeader.signature.count:
            guard byte == ProxyHeader.signature[offset] else { throw ProxyHeaderError(.noHeader, offset: offset) }
        case ProxyHeader.commandOffset:
            guard byte >> 4 == ProxyHeader.Version.v2.rawValue else { throw ProxyHeaderError(.badVersion(byte >> 4), offset: offset) }
            guard ProxyHeader.Command(rawValue: byte & 15) != nil else { throw ProxyHeaderError(.badCommand(byte & 15), offset: offset) }
        case ProxyHeader.familyOffset:
            guard ProxyHeader.isLocal(collected) || ProxyHeader.Family(byte) != nil else {
                throw ProxyHeaderError(.badFamily(byte), offset: offset)
            }
        case ProxyHeader.fixedByteCount - 1:
            wholeCount = try ProxyHeader.wholeCount(of: collected, headerBytesMax: headerBytesMax)
        default: break
        }
    }
}
