/// Version 2: a signature, the command, the family, the length of the rest; then the addresses, then TLVs.
extension ProxyHeader {
    /// What every binary header begins with: bytes that no other protocol begins with.
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    static let commandOffset = 12
    static let familyOffset = 13
    /// How many bytes there are at least, and after how many the length is known.
    static let fixedByteCount = 16
    /// The most bytes that a unique id may have; the specification says so.
    private static let uniqueIDBytesMax = 128
    private static let unixPathBytes = 108

    /// What a pair of addresses and the connection between them are: the header's fourteenth byte.
    struct Family {
        enum Addresses: UInt8 {
            case unspecified, ipv4, ipv6, unix
        }

        let addresses: Addresses
        let transport: Transport

        /// Nil for a byte that names neither.
        init?(_ byte: UInt8) {
            guard let addresses = Addresses(rawValue: byte >> 4), let transport = Transport(rawValue: byte & 15) else { return nil }
            self.addresses = addresses
            self.transport = transport
        }

        /// Whether nothing can be made of the rest: half of the byte is unspecified, and so nobody says what the addresses look like.
        var isOpaque: Bool { (addresses == .unspecified) != (transport == .unspecified) }

        /// How many bytes the two addresses take.
        var byteCount: Int {
            guard !isOpaque else { return 0 }
            return switch addresses {
            case .unspecified: 0
            case .ipv4: 2 * (4 + 2)
            case .ipv6: 2 * (16 + 2)
            case .unix: 2 * unixPathBytes
            }
        }
    }

    /// Whether the command of a header that has come so far is LOCAL.
    static func isLocal(_ bytes: [UInt8]) -> Bool { bytes[commandOffset] & 15 == Command.local.rawValue }

    /// How many bytes a header has of which the first sixteen are there.
    static func wholeCount(of bytes: [UInt8], headerBytesMax: Int) throws(ProxyHeaderError) -> Int {
        let lengthOffset = familyOffset + 1
        let length = Int(UInt16(bytes: bytes[lengthOffset..<fixedByteCount]))
        guard fixedByteCount + length <= headerBytesMax else {
            throw ProxyHeaderError(.headerTooLong(headerBytesMax: headerBytesMax), offset: lengthOffset)
        }
        if !isLocal(bytes), let family = Family(bytes[familyOffset]), length < family.byteCount {
            throw ProxyHeaderError(.headerTooShort(lengthMin: family.byteCount), offset: lengthOffset)
        }
        return fixedByteCount + length
    }

    /// Reads a whole header whose first sixteen bytes were found right.
    init(binary bytes: [UInt8]) throws(ProxyHeaderError) {
        guard !Self.isLocal(bytes), let family = Family(bytes[Self.familyOffset]) else {
            // "The receiver must … discard the protocol block including the family which is ignored."
            self.init(version: .v2, command: .local)
            return
        }
        guard !family.isOpaque else {
            self.init(version: .v2)
            return
        }
        let tlvs = Self.fixedByteCount + family.byteCount..<bytes.count
        try Self.checkTLVs(of: bytes, in: tlvs)
        let addresses = Self.addresses(family.addresses, in: bytes[Self.fixedByteCount..<tlvs.lowerBound])
        self.init(
            version: .v2, transport: family.transport, source: addresses?.source, destination: addresses?.destination,
            tlvBytes: Array(bytes[tlvs]))
    }

    /// The two addresses; nil where there are none. There are as many bytes as the family needs.
    private static func addresses(
        _ family: Family.Addresses, in bytes: ArraySlice<UInt8>
    ) -> (source: Address, destination: Address)? {
        var rest = bytes
        func take(_ count: Int) -> ArraySlice<UInt8> {
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        switch family {
        case .unspecified: return nil
        case .ipv4:
            let (source, destination) = (UInt32(bytes: take(4)), UInt32(bytes: take(4)))
            return (
                .ipv4(IPv4Address(bits: source, port: UInt16(bytes: take(2)))),
                .ipv4(IPv4Address(bits: destination, port: UInt16(bytes: take(2))))
            )
        case .ipv6:
            let source = (high: UInt64(bytes: take(8)), low: UInt64(bytes: take(8)))
            let destination = (high: UInt64(bytes: take(8)), low: UInt64(bytes: take(8)))
            return (
                .ipv6(IPv6Address(high: source.high, low: source.low, port: UInt16(bytes: take(2)))),
                .ipv6(IPv6Address(high: destination.high, low: destination.low, port: UInt16(bytes: take(2))))
            )
        case .unix: return (.unix(path(take(unixPathBytes))), .unix(path(take(unixPathBytes))))
        }
    }

    /// The path in a field of a fixed size. A name that begins with a zero byte is one of Linux's abstract ones, and keeps it.
    private static func path(_ field: ArraySlice<UInt8>) -> String {
        let length = (field.dropFirst().firstIndex(of: 0) ?? field.endIndex) - field.startIndex
        let path = field.prefix(length)
        return path.elementsEqual([0]) ? "" : String(decoding: path, as: UTF8.self)
    }

    /// Looks at the TLVs of the types that are known.
    private static func checkTLVs(of bytes: [UInt8], in range: Range<Int>) throws(ProxyHeaderError) {
        var once = OnceOnly()
        var checksum: Range<Int>?
        try TLVReader(bytes, in: range).forEach { type, value throws(ProxyHeaderError) in
            let offset = value.lowerBound - 3
            switch type {
            case TLVType.checksum:
                try once.note(type, at: offset)
                guard value.count == 4 else { throw ProxyHeaderError(.badTLV(type), offset: offset) }
                checksum = value
            case TLVType.uniqueID where value.count > uniqueIDBytesMax: throw ProxyHeaderError(.badTLV(type), offset: offset)
            case TLVType.ssl:
                try once.note(type, at: offset)
                guard value.count >= SSL.fixedByteCount else { throw ProxyHeaderError(.badTLV(type), offset: offset) }
                try checkSSL(of: bytes, in: value.dropFirst(SSL.fixedByteCount))
            default: break
            }
        }
        guard let checksum else { return }
        let announced = UInt32(bytes: bytes[checksum])
        let computed = CRC32C.checksum(of: bytes, zeroing: checksum)
        guard announced == computed else {
            throw ProxyHeaderError(.badChecksum(announced: announced, computed: computed), offset: checksum.lowerBound)
        }
    }

    private static func checkSSL(of bytes: [UInt8], in range: Range<Int>) throws(ProxyHeaderError) {
        var once = OnceOnly()
        try TLVReader(bytes, in: range).forEach { type, value throws(ProxyHeaderError) in
            // Two names are nobody's.
            if type == TLVType.sslCommonName { try once.note(type, at: value.lowerBound - 3) }
        }
    }

    /// Refuses the second one of a type.
    private struct OnceOnly {
        private var seen: [UInt8] = []

        mutating func note(_ type: UInt8, at offset: Int) throws(ProxyHeaderError) {
            guard !seen.contains(type) else { throw ProxyHeaderError(.repeatedTLV(type), offset: offset) }
            seen.append(type)
        }
    }
}
