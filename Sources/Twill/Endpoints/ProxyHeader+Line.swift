/// Version 1: `PROXY TCP4 192.0.2.7 10.0.0.1 56324 443` and CR LF.
extension ProxyHeader {
    /// What every line begins with.
    static let linePrefix = Array("PROXY ".utf8)

    /// Reads a whole line, its end included.
    init(line: [UInt8]) throws(ProxyHeaderError) {
        let text = line[Self.linePrefix.count..<line.count - 2]
        // Two spaces in a row, or one at the end, make an empty field, which is neither an address nor a port.
        let fields = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let isIPv6: Bool
        switch fields.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "TCP4": isIPv6 = false
        case "TCP6": isIPv6 = true
        case "UNKNOWN":
            // Whatever comes behind it is nobody's business.
            self.init(version: .v1)
            return
        default: throw ProxyHeaderError(.badProtocolName, offset: text.startIndex)
        }
        let reader = LineFields(fields: fields, end: text.endIndex)
        let source = try reader.host(1, isIPv6: isIPv6)
        let destination = try reader.host(2, isIPv6: isIPv6)
        let sourcePort = try reader.port(3)
        let destinationPort = try reader.port(4)
        // The space before it is what should be the line's end.
        if fields.count > 5 { throw ProxyHeaderError(.unexpectedField, offset: fields[5].startIndex - 1) }
        self.init(version: .v1, transport: .stream, source: source(sourcePort), destination: destination(destinationPort))
    }
}

/// The fields of a line, read by their number.
private struct LineFields {
    let fields: [ArraySlice<UInt8>]
    /// Where the line ends, which is where a missing field is missed.
    let end: Int

    /// A literal address of a family, which waits for its port.
    func host(_ number: Int, isIPv6: Bool) throws(ProxyHeaderError) -> (UInt16) -> Address {
        let offset = offset(of: number)
        guard number < fields.count else { throw ProxyHeaderError(.badAddress, offset: offset) }
        let text = String(decoding: fields[number], as: UTF8.self)
        if isIPv6 {
            // An interface of the proxy's means nothing here.
            guard !text.contains("%"), let address = IPv6Address(host: text, port: 0) else {
                throw ProxyHeaderError(.badAddress, offset: offset)
            }
            return { .ipv6(IPv6Address(high: address.high, low: address.low, port: $0)) }
        }
        guard let address = IPv4Address(host: text, port: 0) else { throw ProxyHeaderError(.badAddress, offset: offset) }
        return { .ipv4(IPv4Address(bits: address.bits, port: $0)) }
    }

    func port(_ number: Int) throws(ProxyHeaderError) -> UInt16 {
        guard number < fields.count, let port = UInt16(plainDecimal: fields[number]) else {
            throw ProxyHeaderError(.badPort, offset: offset(of: number))
        }
        return port
    }

    private func offset(of number: Int) -> Int {
        number < fields.count ? fields[number].startIndex : end
    }
}

extension FixedWidthInteger {
    /// A number of decimal digits without a sign and without leading zeros; nil for anything else, and for a number that is too great.
    init?(plainDecimal digits: some Collection<UInt8>) {
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var number: Self = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = tens.addingReportingOverflow(Self(digit - UInt8(ascii: "0")))
            guard !overflows, !overflowsToo else { return nil }
            number = sum
        }
        self = number
    }
}
