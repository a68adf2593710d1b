import Twill

/// What became of a stream that a parser was fed, until it was through with it.
enum ProxyOutcome: Equatable, CustomStringConvertible {
    /// The header, and how many bytes of the stream it took.
    case header(ProxyHeader, Int)
    case refused(ProxyHeaderError)
    case unfinished

    var description: String {
        switch self {
        case .header(let header, let count): "\(header) of \(count) bytes"
        case .refused(let error): "\(error)"
        case .unfinished: "unfinished"
        }
    }

    var reason: ProxyHeaderError.Reason? { if case .refused(let error) = self { error.reason } else { nil } }
}

extension ProxyHeaderParser {
    /// Feeds a stream in pieces of these sizes, the last of them again and again, each lent from the middle of a larger buffer.
    mutating func outcome(of stream: [UInt8], in sizes: [Int]) -> ProxyOutcome {
        var position = 0
        for index in 0... {
            guard position < stream.count else { return .unfinished }
            let size = min(stream.count - position, max(1, sizes[min(index, sizes.count - 1)]))
            let buffer = [0x0D, 0x0A] + stream[position..<position + size] + [0x50, 0x0A]
            do throws(ProxyHeaderError) {
                let span = buffer.span
                if let (header, count) = try parse(span.extracting(2..<2 + size)) { return .header(header, position + count) }
            } catch {
                return .refused(error)
            }
            position += size
        }
        return .unfinished
    }
}

/// What becomes of a stream that comes in one piece.
func proxyOutcome(of stream: [UInt8], headerBytesMax: Int = 4096) -> ProxyOutcome {
    var parser = ProxyHeaderParser(headerBytesMax: headerBytesMax)
    return parser.outcome(of: stream, in: [max(1, stream.count)])
}

func proxyOutcome(of line: String) -> ProxyOutcome { proxyOutcome(of: bytes(line)) }

/// Bytes from pairs of hexadecimal digits, which may have spaces between them.
func unhex(_ digits: String) -> [UInt8] {
    let values = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
}

/// Writes headers of version 2, right ones and wrong ones.
struct BinaryHeader {
    static let signature = unhex("0d0a0d0a000d0a515549540a")

    var versionAndCommand: UInt8 = 0x21
    var family: UInt8 = 0x11
    var addresses = ipv4
    var tlvs: [UInt8] = []
    /// What is announced as the length, where it is not the right one.
    var announcedCount: Int?

    /// 192.0.2.7:56324 to 10.0.0.1:443.
    static let ipv4 = unhex("c0000207 0a000001 dc04 01bb")
    /// [2001:db8::7]:56324 to [2001:db8::1]:443.
    static let ipv6 = unhex("20010db8000000000000000000000007 20010db8000000000000000000000001 dc04 01bb")

    static func unix(_ source: String, _ destination: String) -> [UInt8] {
        [source, destination].flatMap { path in
            let name = bytes(path)
            return name + [UInt8](repeating: 0, count: 108 - name.count)
        }
    }

    static func tlv(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        [type, UInt8(value.count >> 8), UInt8(value.count & 255)] + value
    }

    static func tlv(_ type: UInt8, _ value: String) -> [UInt8] { tlv(type, bytes(value)) }

    static func ssl(client: UInt8, verify: UInt32, _ tlvs: [[UInt8]]) -> [UInt8] {
        tlv(0x20, [client] + bigEndian(verify) + tlvs.joined())
    }

    static func bigEndian(_ number: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }

    /// The header, with the right checksum where its TLVs begin with one.
    var encoded: [UInt8] {
        let rest = addresses + tlvs
        let count = announcedCount ?? rest.count
        return Self.signature + [versionAndCommand, family, UInt8(count >> 8), UInt8(count & 255)] + rest
    }

    /// The header with a checksum behind its other TLVs.
    var encodedWithChecksum: [UInt8] {
        var whole = self
        whole.tlvs += Self.tlv(0x03, [0, 0, 0, 0])
        let zeroed = whole.encoded
        return zeroed.dropLast(4) + Self.bigEndian(bitwiseCRC32C(zeroed))
    }
}

/// The checksum bit by bit, as a division of polynomials: slow, and without a table that could be wrong.
func bitwiseCRC32C(_ bytes: [UInt8]) -> UInt32 {
    var remainder = UInt32.max
    for byte in bytes {
        for bit in 0..<8 {
            let isSet = (remainder ^ UInt32(byte >> bit)) & 1 == 1
            remainder = remainder >> 1 ^ (isSet ? 0x82F6_3B78 : 0)
        }
    }
    return ~remainder
}
