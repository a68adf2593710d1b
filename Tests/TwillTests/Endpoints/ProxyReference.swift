@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a whole stream's PROXY header says, found in another way than the parser's: not incrementally, with the system's `inet_pton` for
/// addresses and the checksum bit by bit.
enum ProxyReference: Equatable {
    case header(Fields)
    case refused
    case unfinished

    struct Fields: Equatable {
        var version = 1
        var isLocal = false
        var transport = "unspecified"
        /// The hosts and ports of both ends, as they would go over the wire in version 2, and paths as text; nil where there are none.
        var addresses: [UInt8]?
        var tlvs: [[UInt8]] = []
        var byteCount = 0
    }

    init(_ stream: [UInt8]) {
        if stream.first == 0x50 {
            self = Self.line(stream)
        } else {
            self = Self.binary(stream)
        }
    }

    private static func line(_ stream: [UInt8]) -> ProxyReference {
        let prefix = Array("PROXY ".utf8)
        guard stream.prefix(6).elementsEqual(prefix.prefix(stream.count)) else { return .refused }
        let head = stream.prefix(107)
        guard let end = head.firstIndex(where: { $0 == 13 || $0 == 10 }) else { return head.count < 107 ? .unfinished : .refused }
        guard head[end] == 13, end < 106 else { return .refused }
        guard end + 1 < stream.count else { return .unfinished }
        guard stream[end + 1] == 10 else { return .refused }
        var fields = Fields()
        fields.byteCount = end + 2
        let text = stream[6..<end].map { Character(Unicode.Scalar($0)) }
        if text.starts(with: "UNKNOWN") { return text.count == 7 || text[7] == " " ? .header(fields) : .refused }
        let words = String(text).components(between: " ")
        guard words.count == 5, words[0] == "TCP4" || words[0] == "TCP6" else { return .refused }
        let family = words[0] == "TCP4" ? AF_INET : AF_INET6
        guard let source = number(words[1], family), let destination = number(words[2], family), let sourcePort = port(words[3]),
            let destinationPort = port(words[4])
        else { return .refused }
        fields.transport = "stream"
        fields.addresses = source + destination + sourcePort + destinationPort
        return .header(fields)
    }

    private static func number(_ text: String, _ family: CInt) -> [UInt8]? {
        // A zero byte would end the text for the system.
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private static func port(_ text: String) -> [UInt8]? {
        guard let number = Int(text), (0...65535).contains(number), "\(number)" == text else { return nil }
        return [UInt8(number / 256), UInt8(number % 256)]
    }

    private static func binary(_ stream: [UInt8]) -> ProxyReference {
        let start = stream.prefix(12)
        guard start.elementsEqual(BinaryHeader.signature.prefix(start.count)) else { return .refused }
        if stream.count > 12, stream[12] != 0x20, stream[12] != 0x21 { return .refused }
        let isLocal = stream.count > 12 && stream[12] == 0x20
        if stream.count > 13, !isLocal, stream[13] / 16 > 3 || stream[13] % 16 > 2 { return .refused }
        guard stream.count >= 16 else { return .unfinished }
        let length = Int(stream[14]) * 256 + Int(stream[15])
        guard length <= 4080 else { return .refused }
        let isOpaque = (stream[13] / 16 == 0) != (stream[13] % 16 == 0)
        let addressCount = isLocal || isOpaque ? 0 : [0, 12, 36, 216][Int(stream[13] / 16)]
        guard length >= addressCount else { return .refused }
        guard stream.count >= 16 + length else { return .unfinished }
        var fields = Fields(version: 2, isLocal: isLocal, byteCount: 16 + length)
        if isLocal || isOpaque { return .header(fields) }
        fields.transport = ["unspecified", "stream", "datagram"][Int(stream[13] % 16)]
        let block = Array(stream[16..<16 + length])
        if addressCount == 216 {
            fields.addresses = path(block.prefix(108)) + path(block.dropFirst(108).prefix(108))
        } else if addressCount > 0 {
            fields.addresses = Array(block.prefix(addressCount))
        }
        guard let tlvs = split(Array(block.dropFirst(addressCount))) else { return .refused }
        fields.tlvs = tlvs
        guard areRight(tlvs, of: Array(stream.prefix(16 + length)), from: 16 + addressCount) else { return .refused }
        return .header(fields)
    }

    private static func path(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var path: [UInt8] = []
        for byte in field {
            if byte == 0, !path.isEmpty { break }
            path.append(byte)
        }
        return Array(String(decoding: path == [0] ? [] : path, as: UTF8.self).utf8) + [0xFF]
    }

    /// TLVs one by one, their type in front.
    private static func split(_ bytes: [UInt8]) -> [[UInt8]]? {
        if bytes.isEmpty { return [] }
        guard bytes.count >= 3 else { return nil }
        let count = Int(bytes[1]) * 256 + Int(bytes[2])
        guard bytes.count >= 3 + count, let rest = split(Array(bytes.dropFirst(3 + count))) else { return nil }
        return [[bytes[0]] + bytes[3..<3 + count]] + rest
    }

    private static func areRight(_ tlvs: [[UInt8]], of header: [UInt8], from start: Int) -> Bool {
        func ofType(_ type: UInt8, in tlvs: [[UInt8]]) -> [[UInt8]] { tlvs.filter { $0[0] == type } }
        guard ofType(0x05, in: tlvs).allSatisfy({ $0.count <= 129 }) else { return false }
        let ssl = ofType(0x20, in: tlvs)
        guard ssl.count <= 1 else { return false }
        for value in ssl {
            guard value.count >= 6, let inner = split(Array(value[6...])), ofType(0x22, in: inner).count <= 1 else { return false }
        }
        let checksums = ofType(0x03, in: tlvs)
        guard let checksum = checksums.first else { return true }
        guard checksums.count == 1, checksum.count == 5 else { return false }
        var zeroed = header
        var position = start
        for tlv in tlvs {
            if tlv[0] == 0x03 { zeroed.replaceSubrange(position + 3..<position + 7, with: [0, 0, 0, 0]) }
            position += tlv.count + 2
        }
        return BinaryHeader.bigEndian(bitwiseCRC32C(zeroed)).elementsEqual(checksum[1...])
    }
}

extension ProxyOutcome {
    /// The outcome in the reference's words.
    var asReference: ProxyReference {
        switch self {
        case .refused: return .refused
        case .unfinished: return .unfinished
        case .header(let header, let count):
            var addresses: [UInt8]?
            if let source = header.source, let destination = header.destination {
                addresses = Self.hostBytes(source) + Self.hostBytes(destination) + Self.portBytes(source) + Self.portBytes(destination)
            }
            return .header(
                ProxyReference.Fields(
                    version: Int(header.version.rawValue), isLocal: header.command == .local, transport: "\(header.transport)",
                    addresses: addresses, tlvs: header.tlvs.map { [$0.type] + $0.value }, byteCount: count))
        }
    }

    private static func hostBytes(_ address: Address) -> [UInt8] {
        switch address {
        case .ipv4(let ipv4): BinaryHeader.bigEndian(ipv4.bits)
        case .ipv6(let ipv6):
            [ipv6.high >> 32, ipv6.high, ipv6.low >> 32, ipv6.low].flatMap { BinaryHeader.bigEndian(UInt32(truncatingIfNeeded: $0)) }
        case .unix(let path): Array(path.utf8) + [0xFF]
        case .pipe, .unknown: []
        }
    }

    private static func portBytes(_ address: Address) -> [UInt8] {
        address.port.map { [UInt8($0 / 256), UInt8($0 % 256)] } ?? []
    }
}

extension String {
    /// The parts between the separators, empty ones too.
    fileprivate func components(between separator: Character) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
