/// The further values that a header of version 2 may carry, each with a type and a length. Those that nobody knows are kept, and mean nothing.
///
/// Text that is no UTF-8 is no text: it is nil in the typed properties, and only ``ProxyHeader/tlvs`` has it.
extension ProxyHeader {
    /// One value with its type.
    public struct TLV: Hashable, Sendable {
        /// Its number in the specification: 0x05 for the unique id, 0xE0 to 0xEF for whatever somebody has agreed on.
        public let type: UInt8
        /// Its bytes.
        public let value: [UInt8]

        /// Makes one.
        public init(type: UInt8, value: [UInt8]) {
            self.type = type
            self.value = value
        }
    }

    /// All of them, in the order in which they came. Empty for version 1, for LOCAL, and where the family or the transport alone is unspecified.
    public var tlvs: [TLV] { Self.tlvs(of: tlvBytes) }

    /// The name of the protocol that the client has agreed on with the proxy: `h2`, say (0x01).
    public var alpn: String? { text(of: TLVType.alpn) }

    /// The host that the client has asked for: the server name of TLS (0x02). The client's own word.
    public var authority: String? { text(of: TLVType.authority) }

    /// The checksum, which was found right (0x03).
    public var checksum: UInt32? { value(of: TLVType.checksum).map { UInt32(bytes: $0[...]) } }

    /// What the proxy calls this connection in its own logs: bytes of any kind, at most 128 (0x05).
    public var uniqueID: [UInt8]? { value(of: TLVType.uniqueID) }

    /// The unique id for log lines: what is not printable ASCII is escaped as in a Swift literal.
    public var uniqueIDText: String? {
        uniqueID.map { id in
            String(decoding: id, as: UTF8.self).unicodeScalars.map { $0.escaped(asASCII: true) }.joined()
        }
    }

    /// The network namespace of the client's connection (0x30).
    public var networkNamespace: String? { text(of: TLVType.networkNamespace) }

    /// What the proxy says of the client's TLS; nil where it says nothing, which is not the same as no TLS (0x20).
    public var ssl: SSL? { value(of: TLVType.ssl).flatMap(SSL.init) }

    /// The value of the first one of a type.
    private func value(of type: UInt8) -> [UInt8]? { tlvs.first { $0.type == type }?.value }

    private func text(of type: UInt8) -> String? { value(of: type).flatMap { String(validating: $0, as: UTF8.self) } }

    static func tlvs(of bytes: [UInt8]) -> [TLV] {
        var found: [TLV] = []
        // Bytes that were parsed before have no faults.
        try? TLVReader(bytes, in: 0..<bytes.count).forEach { type, value in found.append(TLV(type: type, value: Array(bytes[value]))) }
        return found
    }
}

/// The numbers of the types.
enum TLVType {
    static let alpn: UInt8 = 0x01
    static let authority: UInt8 = 0x02
    static let checksum: UInt8 = 0x03
    static let uniqueID: UInt8 = 0x05
    static let ssl: UInt8 = 0x20
    static let sslVersion: UInt8 = 0x21
    static let sslCommonName: UInt8 = 0x22
    static let sslCipher: UInt8 = 0x23
    static let sslSignatureAlgorithm: UInt8 = 0x24
    static let sslKeyAlgorithm: UInt8 = 0x25
    static let networkNamespace: UInt8 = 0x30
}

/// Goes through the TLVs that lie one behind the other in a part of some bytes.
struct TLVReader {
    private let bytes: [UInt8]
    private let range: Range<Int>

    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        self.range = range
    }

    /// Calls the closure with each one's type and with where its value lies.
    ///
    /// - Throws: ``ProxyHeaderError/Reason/truncatedTLV(_:)``, and what the closure throws.
    func forEach(_ body: (UInt8, Range<Int>) throws(ProxyHeaderError) -> Void) throws(ProxyHeaderError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let type = bytes[start]
            guard range.upperBound - start >= 3 else { throw ProxyHeaderError(.truncatedTLV(type), offset: start) }
            let value = start + 3
            let end = value + Int(bytes[start + 1]) << 8 + Int(bytes[start + 2])
            guard end <= range.upperBound else { throw ProxyHeaderError(.truncatedTLV(type), offset: start) }
            try body(type, value..<end)
            start = end
        }
    }
}

extension FixedWidthInteger {
    /// A number from its bytes, the first one most significant.
    init(bytes: ArraySlice<UInt8>) {
        self = bytes.reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }
}
