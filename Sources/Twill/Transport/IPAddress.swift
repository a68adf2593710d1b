/// An IPv4 host and port.
public struct IPv4Address: Hashable, Sendable {
    /// The host's four bytes, the first one most significant: 127.0.0.1 is 0x7F000001.
    public var bits: UInt32
    /// The port, in the machine's own byte order.
    public var port: UInt16

    /// Makes an address from its bits and port.
    public init(bits: UInt32, port: UInt16) {
        self.bits = bits
        self.port = port
    }

    /// Makes an address from four decimal numbers with dots between them; nil for anything else.
    ///
    /// Leading zeros are refused: some systems read them as octal, so that `010.0.0.1` would name two different hosts.
    public init?(host: String, port: UInt16) {
        let parts = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var number: UInt32 = 0
            for byte in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                number = number * 10 + UInt32(byte - UInt8(ascii: "0"))
            }
            guard number <= 255 else { return nil }
            bits = bits << 8 | number
        }
        self.init(bits: bits, port: port)
    }

    /// The host as dotted decimal text.
    public var host: String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String { "\(host):\(port)" }
}

/// An IPv6 host and port.
public struct IPv6Address: Hashable, Sendable {
    /// The first eight bytes of the host, the first one most significant.
    public var high: UInt64
    /// The last eight bytes of the host.
    public var low: UInt64
    /// The port, in the machine's own byte order.
    public var port: UInt16
    /// The flow label and traffic class; zero unless a peer sent one.
    public var flowInfo: UInt32
    /// The index of the interface that a link-local address belongs to; zero elsewhere.
    public var scopeID: UInt32

    /// Makes an address from its two halves.
    public init(high: UInt64, low: UInt64, port: UInt16, flowInfo: UInt32 = 0, scopeID: UInt32 = 0) {
        self.high = high
        self.low = low
        self.port = port
        self.flowInfo = flowInfo
        self.scopeID = scopeID
    }

    /// Makes an address from its text form, with or without `::`, a dotted IPv4 tail, and a numeric scope (`fe80::1%2`).
    ///
    /// Returns nil for anything else.
    public init?(host: String, port: UInt16) {
        let halves = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var scopeID: UInt32 = 0
        if halves.count == 2 {
            guard halves[1].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = UInt32(halves[1]) else {
                return nil
            }
            scopeID = number
        }
        guard let address = halves.first, let groups = Self.groups(of: address) else { return nil }
        let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        self.init(high: high, low: low, port: port, scopeID: scopeID)
    }

    /// The eight 16-bit groups of an address's text, or nil where it is not one.
    private static func groups(of text: Substring) -> [UInt16]? {
        guard let gap = text.firstRange(of: "::") else {
            let groups = sideGroups(of: text)
            return groups?.count == 8 ? groups : nil
        }
        guard let front = sideGroups(of: text[..<gap.lowerBound], isEnd: false), let back = sideGroups(of: text[gap.upperBound...]),
            front.count + back.count < 8
        else { return nil }
        return front + Array(repeating: 0, count: 8 - front.count - back.count) + back
    }

    /// The groups on one side of `::`; only the last of the whole address may be a dotted IPv4 address.
    private static func sideGroups(of text: Substring, isEnd: Bool = true) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isEnd, index == parts.count - 1, part.contains(".") {
                guard let tail = IPv4Address(host: String(part), port: 0) else { return nil }
                groups += [UInt16(tail.bits >> 16), UInt16(tail.bits & 0xFFFF)]
            } else {
                guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit), let group = UInt16(part, radix: 16) else {
                    return nil
                }
                groups.append(group)
            }
        }
        return groups
    }

    /// The host as text in its canonical form (RFC 5952): lower case, the longest run of zero groups as `::`.
    public var host: String {
        let scope = scopeID == 0 ? "" : "%\(scopeID)"
        if high == 0, low >> 32 == 0xFFFF {
            return "::ffff:\(IPv4Address(bits: UInt32(truncatingIfNeeded: low), port: 0).host)\(scope)"
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(16 * (3 - $0 % 4))) }
        let text = { (range: Range<Int>) in groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        guard let gap = Self.longestRunOfZeros(in: groups) else { return text(0..<8) + scope }
        return "\(text(0..<gap.lowerBound))::\(text(gap.upperBound..<8))\(scope)"
    }

    /// The first of the longest runs of at least two zero groups.
    private static func longestRunOfZeros(in groups: [UInt16]) -> Range<Int>? {
        var longest = 0..<1
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest.count > 1 ? longest : nil
    }

    /// The IPv4 address inside an IPv4-mapped one (`::ffff:192.0.2.1`), as a dual-stack socket reports its IPv4 peers; else nil.
    public var mappedIPv4: IPv4Address? {
        guard high == 0, low >> 32 == 0xFFFF else { return nil }
        return IPv4Address(bits: UInt32(truncatingIfNeeded: low), port: port)
    }
}

extension IPv6Address: CustomStringConvertible {
    public var description: String { "[\(host)]:\(port)" }
}
