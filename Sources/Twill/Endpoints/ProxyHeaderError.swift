/// How a PROXY header broke the rules, and where: the ``ConnectionLost/underlying`` error of a ``ConnectionLost/badInput``.
///
/// The same bytes give the same error, however the network has cut them.
public struct ProxyHeaderError: Error, Hashable, Sendable {
    /// The rule that was broken.
    public enum Reason: Hashable, Sendable {
        /// The connection begins neither with `PROXY ` nor with the signature of version 2.
        case noHeader
        /// Version 1: no CR LF within 107 bytes.
        case lineTooLong
        /// Version 1: a CR without a LF, or a LF without a CR.
        case badLineEnd
        /// Version 1: neither `TCP4` nor `TCP6` nor `UNKNOWN`.
        case badProtocolName
        /// Version 1: no literal address of the family that was named, or none at all.
        case badAddress
        /// Version 1: no number from 0 to 65535 without leading zeros, or none at all.
        case badPort
        /// Version 1: something between the second port and the end of the line.
        case unexpectedField
        /// The binary header has another version than 2.
        case badVersion(UInt8)
        /// Version 2: neither LOCAL (0) nor PROXY (1).
        case badCommand(UInt8)
        /// Version 2: a family or a transport that does not exist; the byte that names both.
        case badFamily(UInt8)
        /// Version 2: a header is announced that has no room for the addresses of its family.
        case headerTooShort(lengthMin: Int)
        /// Version 2: a header is announced that is longer than ``ProxyHeaderParser/headerBytesMax``.
        case headerTooLong(headerBytesMax: Int)
        /// Version 2: a TLV of this type, or what is left where one should be, reaches past the end of what holds it.
        case truncatedTLV(UInt8)
        /// Version 2: a TLV whose value can't be one of its type.
        case badTLV(UInt8)
        /// Version 2: a second TLV of a type that decides what is believed: the checksum, SSL, the client's common name.
        case repeatedTLV(UInt8)
        /// Version 2: the checksum is another one than that of the bytes.
        case badChecksum(announced: UInt32, computed: UInt32)
    }

    /// The rule that was broken.
    public let reason: Reason

    /// Where: how many bytes of the connection came before the first one that broke the rule.
    public let offset: Int

    /// Makes an error.
    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension ProxyHeaderError: CustomStringConvertible {
    /// A sentence that names the rule and the place, and nothing that the peer has sent but numbers.
    public var description: String {
        "\(sentence), at byte \(offset)"
    }

    private var sentence: String {
        switch reason {
        case .noHeader: "the connection does not begin with a PROXY header"
        case .lineTooLong: "the PROXY line does not end within \(ProxyHeaderParser.lineBytesMax) bytes"
        case .badLineEnd: "the PROXY line does not end with CR LF"
        case .badProtocolName: "the PROXY line names none of TCP4, TCP6 and UNKNOWN"
        case .badAddress: "the PROXY line has no address of its family where one should be"
        case .badPort: "the PROXY line has no port where one should be"
        case .unexpectedField: "the PROXY line goes on behind its second port"
        case .badVersion(let version): "the PROXY header has version \(version) instead of 2"
        case .badCommand(let command): "the PROXY header has the unknown command \(command)"
        case .badFamily(let byte): "the PROXY header has the unknown family and transport 0x\(String(byte, radix: 16))"
        case .headerTooShort(let lengthMin): "the PROXY header announces fewer than the \(lengthMin) bytes that its addresses need"
        case .headerTooLong(let headerBytesMax):
            "the PROXY header announces more than \(headerBytesMax) bytes (headerBytesMax)"
        case .truncatedTLV(let type): "the TLV 0x\(String(type, radix: 16)) of the PROXY header reaches past its end"
        case .badTLV(let type): "the TLV 0x\(String(type, radix: 16)) of the PROXY header has a value that it can't have"
        case .repeatedTLV(let type): "the TLV 0x\(String(type, radix: 16)) of the PROXY header is there twice"
        case .badChecksum(let announced, let computed):
            """
            the PROXY header has the checksum 0x\(String(computed, radix: 16)) \
            and announces 0x\(String(announced, radix: 16))
            """
        }
    }
}
