/// A range of IP addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or a single address.
///
/// ```swift
/// let office = try IPNetwork("192.0.2.0/24")
/// if !office.contains(transport.peer) { transport.loseConnection() }
/// ```
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.7`) counts as the IPv4 address that it is, here and there; so `::/0` is all of
/// IPv6 and nothing of IPv4.
public struct IPNetwork: Hashable, Sendable {
    /// The bits that its addresses have in common, from the top; those behind them are zero. IPv4 has the upper 32 of them.
    private let high: UInt64
    private let low: UInt64
    /// How many bits its addresses have in common.
    public let prefixLength: Int
    private let isIPv4: Bool

    /// Reads a network or an address.
    ///
    /// - Throws: ``IPNetworkError``, for a name, for a prefix that is too long, and where bits are set behind the prefix: `10.0.0.1/8` is either a
    ///   network or a host, and nobody knows which was meant.
    public init(_ text: String) throws(IPNetworkError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        // A scope belongs to one machine's interface, and not to a network.
        guard let first = parts.first, !first.contains("%"), let address = Address(host: String(first), port: 0),
            let bits = AddressBits(address, unmaps: false)
        else { throw IPNetworkError(.notAnAddress, in: text) }
        var prefixLength = bits.count
        if parts.count == 2 {
            guard let number = Int(plainDecimal: parts[1].utf8), number <= bits.count else {
                throw IPNetworkError(.badPrefixLength(max: bits.count), in: text)
            }
            prefixLength = number
        }
        let masked = bits.prefix(prefixLength)
        guard masked == bits else { throw IPNetworkError(.bitsBehindPrefix, in: text) }
        if !bits.isIPv4, prefixLength >= 96, bits.isMappedIPv4 {
            self.init(bits.unmapped, prefixLength - 96)
        } else {
            self.init(bits, prefixLength)
        }
    }

    private init(_ bits: AddressBits, _ prefixLength: Int) {
        high = bits.high
        low = bits.low
        isIPv4 = bits.isIPv4
        self.prefixLength = prefixLength
    }

    /// Whether an address is in it, whatever its port and scope. A UNIX socket's is in none.
    public func contains(_ address: Address) -> Bool {
        guard let bits = AddressBits(address, unmaps: true), bits.isIPv4 == isIPv4 else { return false }
        let prefix = bits.prefix(prefixLength)
        return prefix.high == high && prefix.low == low
    }
}

extension IPNetwork: CustomStringConvertible {
    /// As it is written: `10.0.0.0/8`.
    public var description: String {
        let address: String =
            isIPv4
            ? IPv4Address(bits: UInt32(truncatingIfNeeded: high >> 32), port: 0).host : IPv6Address(high: high, low: low, port: 0).host
        return "\(address)/\(prefixLength)"
    }
}

/// Why a text names no network.
public struct IPNetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    public enum Reason: Hashable, Sendable {
        /// Before the slash stands no literal IPv4 or IPv6 address.
        case notAnAddress
        /// Behind the slash stands no number from 0 to the address's number of bits.
        case badPrefixLength(max: Int)
        /// The address has bits that the prefix leaves out.
        case bitsBehindPrefix
    }

    /// What is wrong with it.
    public let reason: Reason
    /// The text.
    public let text: String

    init(_ reason: Reason, in text: String) {
        self.reason = reason
        self.text = text
    }

    public var description: String {
        switch reason {
        case .notAnAddress: "'\(text)' is no network: it needs a literal address, 10.0.0.0/8 or fd00::/8 for example"
        case .badPrefixLength(let max): "'\(text)' is no network: behind the slash belongs a number from 0 to \(max)"
        case .bitsBehindPrefix:
            "'\(text)' is no network: the address has bits behind the prefix; leave the prefix out to name one host, or set those bits to zero"
        }
    }
}

/// An IP address as 128 bits, of which IPv4 uses the upper 32.
private struct AddressBits: Equatable {
    let high: UInt64
    let low: UInt64
    let isIPv4: Bool

    /// Nil for an address that is no IP address.
    init?(_ address: Address, unmaps: Bool) {
        switch address {
        case .ipv4(let ipv4): self.init(ipv4)
        case .ipv6(let ipv6):
            if unmaps, let ipv4 = ipv6.mappedIPv4 {
                self.init(ipv4)
            } else {
                self.init(high: ipv6.high, low: ipv6.low, isIPv4: false)
            }
        case .unix, .pipe, .unknown: return nil
        }
    }

    private init(_ ipv4: IPv4Address) {
        self.init(high: UInt64(ipv4.bits) << 32, low: 0, isIPv4: true)
    }

    private init(high: UInt64, low: UInt64, isIPv4: Bool) {
        self.high = high
        self.low = low
        self.isIPv4 = isIPv4
    }

    var count: Int { isIPv4 ? 32 : 128 }

    var isMappedIPv4: Bool { !isIPv4 && high == 0 && low >> 32 == 0xFFFF }

    /// The IPv4 address inside.
    var unmapped: AddressBits { AddressBits(high: low << 32, low: 0, isIPv4: true) }

    /// The same with all bits behind the first so many set to zero.
    func prefix(_ length: Int) -> AddressBits {
        // A shift by all of the bits or more leaves none.
        AddressBits(high: high & ~(UInt64.max >> length), low: low & ~(UInt64.max >> max(0, length - 64)), isIPv4: isIPv4)
    }
}
