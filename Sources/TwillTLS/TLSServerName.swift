import Twill

/// Whom a client wants to talk to: a host by its name, or an address.
enum TLSServerName: Hashable, Sendable {
    case host(String)
    case address(String)

    /// What a name means: one in numbers is an address; a name is meant without the dot at its end and whatever its letters are like.
    ///
    /// - Throws: where the name is none. OpenSSL takes an empty one for leave to check nothing, one that begins with a dot for every host below it, and
    ///   knows only what stands before a NUL.
    init(_ text: String) throws(TLSError) {
        let name = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if let address = Address(host: name, port: 0) {
            // The scope of an address is this machine's business, and stands in no certificate.
            self = .address(String(address.host.prefix { $0 != "%" }))
        } else {
            let host = Self.normal(name)
            guard !host.isEmpty, !host.hasPrefix("."), !host.utf8.contains(0) else {
                throw TLSError(
                    .wrongHost, "\(Self.printable(text)) is no name that a certificate can have: give the name of a host, or an address")
            }
            self = .host(host)
        }
    }

    /// A host's name as it is compared: in small letters, without the dot at its end.
    static func normal(_ name: some StringProtocol) -> String {
        let small = name.lowercased()
        return small.hasSuffix(".") ? String(small.dropLast()) : small
    }

    var text: String {
        switch self {
        case .host(let name): name
        case .address(let address): address
        }
    }
}

extension Address {
    /// The IP address of four or sixteen bytes.
    init?(ipBytes bytes: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self = .ipv4(IPv4Address(bits: UInt32(number(0..<4)), port: 0))
        case 16: self = .ipv6(IPv6Address(high: number(0..<8), low: number(8..<16), port: 0))
        default: return nil
        }
    }
}

extension TLSServerName {
    /// A name of the peer's choice, fit for a log.
    static func printable(_ name: String) -> String {
        let safe = name.unicodeScalars.prefix(255).map { (0x21...0x7E).contains($0.value) ? Character($0) : "?" }
        return "\"\(String(safe))\""
    }
}
