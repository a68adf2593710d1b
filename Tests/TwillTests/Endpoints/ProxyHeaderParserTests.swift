import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

// Section 8 of the cases (H) and section 3.6 of the catalogue (P3 to P5), as far as they are about bytes.
@Suite("The parser of PROXY headers", .nothingLivesOn) struct ProxyHeaderParserTests {
    private static func ipv4(_ host: String, _ port: UInt16) -> Address? { IPv4Address(host: host, port: port).map(Address.ipv4) }
    private static func ipv6(_ host: String, _ port: UInt16) -> Address? { IPv6Address(host: host, port: port).map(Address.ipv6) }

    // Version 1.

    /// Lines that are right, and what they say: the family of the addresses, or nil for none.
    static let goodLines: [(line: String, source: Address?, destination: Address?)] = [
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", ipv4("192.0.2.7", 56324), ipv4("10.0.0.1", 443)),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ipv4("255.255.255.255", 65535), ipv4("255.255.255.255", 65535)),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ipv4("0.0.0.0", 0), ipv4("0.0.0.0", 0)),
        ("PROXY TCP6 ::1 2001:DB8::a 1 65535\r\n", ipv6("::1", 1), ipv6("2001:db8::a", 65535)),
        ("PROXY TCP6 ::ffff:192.0.2.7 :: 1 2\r\n", ipv6("::ffff:192.0.2.7", 1), ipv6("::", 2)),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            ipv6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), ipv6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
        ),
        // H05.
        ("PROXY UNKNOWN\r\n", nil, nil),
        ("PROXY UNKNOWN 192.0.2.7 10.0.0.1 56324 443\r\n", nil, nil),
        ("PROXY UNKNOWN whatever \u{0} \t there  may be \r\n", nil, nil),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", nil, nil
        ),
    ]

    @Test(arguments: goodLines.indices) func aLineSaysWhoTheClientIs(index: Int) {
        let (line, source, destination) = Self.goodLines[index]
        let expected = ProxyHeader(
            version: .v1, transport: source == nil ? .unspecified : .stream, source: source, destination: destination)
        #expect(proxyOutcome(of: line + "x") == .header(expected, line.utf8.count))
        #expect(expected.command == .proxy)
        #expect(expected.tlvs.isEmpty)
    }

    @Test func theLongestLineThatTheSpecificationAllowsHas107Bytes() {
        #expect(Self.goodLines.map(\.line.utf8.count).max() == 107)
        let line = "PROXY UNKNOWN " + String(repeating: ".", count: 91)
        #expect(proxyOutcome(of: line + "\r\n").reason == nil)
        // H06c: with its CR LF, and yet too long.
        #expect(proxyOutcome(of: line + ".\r\n") == .refused(ProxyHeaderError(.lineTooLong, offset: 106)))
        #expect(proxyOutcome(of: line + "...") == .refused(ProxyHeaderError(.lineTooLong, offset: 106)))
        #expect(proxyOutcome(of: line + ".") == .unfinished)
        #expect(proxyOutcome(of: "PROXY TCP4 " + String(repeating: "1", count: 1000)).reason == .lineTooLong)
    }

    /// Lines that are wrong: why, and from which byte on.
    static let badLines: [(line: String, reason: ProxyHeaderError.Reason, offset: Int)] = [
        // H09, P2.
        ("GET / HTTP/1.0\r\n\r\n", .noHeader, 0),
        ("PUT / HTTP/1.0\r\n\r\n", .noHeader, 1),
        ("PROPFIND / HTTP/1.1\r\n", .noHeader, 3),
        ("\u{16}\u{03}\u{01}", .noHeader, 0),
        ("PROXYTCP4", .noHeader, 5),
        ("PROXY\t", .noHeader, 5),
        ("PROXY\r\n", .noHeader, 5),
        ("proxy ", .noHeader, 0),
        (" PROXY ", .noHeader, 0),
        ("PROXY WUTCP 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY \r\n", .badProtocolName, 6),
        ("PROXY  TCP4 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY tcp4 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY TCP 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY TCP46 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n", .badProtocolName, 6),
        ("PROXY UNKNOWNS\r\n", .badProtocolName, 6),
        ("PROXY unknown\r\n", .badProtocolName, 6),
        // H07, H07b, P3.
        ("PROXY TCP4 192.0.2.7 10.0.0.1 aa 443\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 aa\r\n", .badPort, 32),
        ("PROXY TCP4 999.1.1.1 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7 10.0.0.256 1 2\r\n", .badAddress, 21),
        ("PROXY TCP4 192.0.02.7 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7.8 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 +1.0.2.7 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7 ::1 1 2\r\n", .badAddress, 21),
        ("PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP6 fe80::1%2 ::1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP6 1::2::3 ::1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP6 12345::1 ::1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP6 [::1] ::1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 localhost 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4\r\n", .badAddress, 10),
        ("PROXY TCP4 \r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7\r\n", .badAddress, 20),
        ("PROXY TCP4 192.0.2.7 10.0.0.1\r\n", .badPort, 29),
        // Three ports' worth, and one.
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n", .badPort, 31),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n", .unexpectedField, 33),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n", .unexpectedField, 33),
        ("PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7  10.0.0.1 1 2\r\n", .badAddress, 21),
        ("PROXY TCP4 192.0.2.7 10.0.0.1  1 2\r\n", .badPort, 30),
        ("PROXY TCP4\t192.0.2.7\t10.0.0.1\t1\t2\r\n", .badProtocolName, 6),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1\t2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 00 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 -1 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1_0 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 99999999999999999999 2\r\n", .badPort, 30),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n", .badPort, 32),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\u{0}\r\n", .badPort, 32),
        ("PROXY TCP4 192.0.2.7\u{0} 10.0.0.1 1 2\r\n", .badAddress, 11),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n", .badLineEnd, 33),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\r\n", .badLineEnd, 34),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\rx", .badLineEnd, 34),
        ("PROXY UNKNOWN\n", .badLineEnd, 13),
        ("PROXY UNKNOWN x\rx\r\n", .badLineEnd, 16),
        ("PROXY \n", .badLineEnd, 6),
    ]

    @Test(arguments: badLines.indices) func aLineThatBreaksTheRulesIsRefusedWithTheRuleAndThePlace(index: Int) {
        let (line, reason, offset) = Self.badLines[index]
        let outcome = proxyOutcome(of: line + "and more of it")
        #expect(outcome == .refused(ProxyHeaderError(reason, offset: offset)), "\(line.debugDescription)")
        expectSameAtEveryCut(bytes(line), outcome)
    }

    // Version 2.

    private static func header(
        _ transport: ProxyHeader.Transport, _ source: Address?, _ destination: Address?, tlvBytes: [UInt8] = []
    ) -> ProxyHeader {
        ProxyHeader(version: .v2, transport: transport, source: source, destination: destination, tlvBytes: tlvBytes)
    }

    /// Binary headers that are right.
    static let goodHeaders: [(header: BinaryHeader, expected: ProxyHeader)] = {
        let ipv4Pair = (ipv4("192.0.2.7", 56324), ipv4("10.0.0.1", 443))
        let ipv6Pair = (ipv6("2001:db8::7", 56324), ipv6("2001:db8::1", 443))
        let path = String(repeating: "p", count: 108)
        let tlvs =
            BinaryHeader.tlv(0xEA, "whoever knows") + BinaryHeader.tlv(0x04, "") + BinaryHeader.tlv(0xE0, "twice")
            + BinaryHeader.tlv(0xE0, "")
        let local = ProxyHeader(version: .v2, command: .local)
        let unspecified = ProxyHeader(version: .v2)
        return [
            // H11, H16, H21.
            (BinaryHeader(), header(.stream, ipv4Pair.0, ipv4Pair.1)),
            (BinaryHeader(family: 0x12), header(.datagram, ipv4Pair.0, ipv4Pair.1)),
            (BinaryHeader(family: 0x21, addresses: BinaryHeader.ipv6), header(.stream, ipv6Pair.0, ipv6Pair.1)),
            (BinaryHeader(family: 0x22, addresses: BinaryHeader.ipv6), header(.datagram, ipv6Pair.0, ipv6Pair.1)),
            // H17.
            (BinaryHeader(family: 0x31, addresses: BinaryHeader.unix("/a", "")), header(.stream, .unix("/a"), .unix(""))),
            (
                BinaryHeader(family: 0x32, addresses: BinaryHeader.unix(path, "\0abstract")),
                header(.datagram, .unix(path), .unix("\0abstract"))
            ),
            (BinaryHeader(family: 0x31, addresses: BinaryHeader.unix("a", "/b\0rest")), header(.stream, .unix("a"), .unix("/b"))),
            // H12.
            (BinaryHeader(tlvs: tlvs), header(.stream, ipv4Pair.0, ipv4Pair.1, tlvBytes: tlvs)),
            (
                BinaryHeader(family: 0x21, addresses: BinaryHeader.ipv6, tlvs: tlvs),
                header(.stream, ipv6Pair.0, ipv6Pair.1, tlvBytes: tlvs)
            ),
            // H13: the rest is skipped, whatever it is; the family too.
            (BinaryHeader(versionAndCommand: 0x20, family: 0x00, addresses: []), local),
            (BinaryHeader(versionAndCommand: 0x20), local),
            (BinaryHeader(versionAndCommand: 0x20, family: 0x11, addresses: [1, 2, 3]), local),
            (BinaryHeader(versionAndCommand: 0x20, family: 0x00, addresses: [], tlvs: tlvs), local),
            (BinaryHeader(versionAndCommand: 0x20, family: 0xFF, addresses: [3, 0xFF]), local),
            // H18.
            (BinaryHeader(family: 0x00, addresses: []), unspecified),
            (BinaryHeader(family: 0x00, addresses: [], tlvs: tlvs), header(.unspecified, nil, nil, tlvBytes: tlvs)),
            (BinaryHeader(family: 0x01, addresses: []), unspecified),
            (BinaryHeader(family: 0x10), unspecified),
            (BinaryHeader(family: 0x30, addresses: [9]), unspecified),
        ]
    }()

    @Test(arguments: goodHeaders.indices) func aBinaryHeaderSaysWhoTheClientIs(index: Int) {
        let (header, expected) = Self.goodHeaders[index]
        let stream = header.encoded + bytes("hi")
        let outcome = ProxyOutcome.header(expected, stream.count - 2)
        #expect(proxyOutcome(of: stream) == outcome)
        expectSameAtEveryCut(stream, outcome)
    }

    @Test func anIPv6AddressIsPrintedInItsShortForm() throws {
        guard case .header(let header, _) = proxyOutcome(of: BinaryHeader(family: 0x21, addresses: BinaryHeader.ipv6).encoded) else {
            Issue.record("no header")
            return
        }
        #expect(header.source?.host == "2001:db8::7")
    }

    /// Binary headers that are wrong.
    static let badHeaders: [(header: [UInt8], reason: ProxyHeaderError.Reason, offset: Int)] = {
        func header(_ change: (inout BinaryHeader) -> Void) -> [UInt8] {
            var header = BinaryHeader()
            change(&header)
            return header.encoded
        }
        let name = BinaryHeader.tlv(0x22, "somebody")
        let checksummed = BinaryHeader(tlvs: BinaryHeader.tlv(0x05, "id")).encodedWithChecksum
        let checksum = checksummed.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        var wrongChecksum = checksummed
        wrongChecksum[wrongChecksum.count - 1] ^= 1
        let twoChecksums = BinaryHeader.tlv(0x03, [0, 0, 0, 0])
        return [
            // H19.
            (header { $0.versionAndCommand = 0x11 }, .badVersion(1), 12),
            (header { $0.versionAndCommand = 0x31 }, .badVersion(3), 12),
            (header { $0.versionAndCommand = 0x00 }, .badVersion(0), 12),
            (header { $0.family = 0x41 }, .badFamily(0x41), 13),
            (header { $0.family = 0x13 }, .badFamily(0x13), 13),
            (header { $0.family = 0xFF }, .badFamily(0xFF), 13),
            (header { $0.announcedCount = 11 }, .headerTooShort(lengthMin: 12), 14),
            (header { $0.announcedCount = 0 }, .headerTooShort(lengthMin: 12), 14),
            (header { ($0.family, $0.announcedCount) = (0x22, 35) }, .headerTooShort(lengthMin: 36), 14),
            (header { ($0.family, $0.announcedCount) = (0x31, 215) }, .headerTooShort(lengthMin: 216), 14),
            // P4: refused as soon as the length is known.
            (header { $0.announcedCount = 65535 }, .headerTooLong(headerBytesMax: 4096), 14),
            (header { $0.announcedCount = 4081 }, .headerTooLong(headerBytesMax: 4096), 14),
            (header { ($0.versionAndCommand, $0.announcedCount) = (0x20, 65535) }, .headerTooLong(headerBytesMax: 4096), 14),
            (header { $0.tlvs = [0x05] }, .truncatedTLV(0x05), 28),
            (header { $0.tlvs = [0x05, 0] }, .truncatedTLV(0x05), 28),
            (header { $0.tlvs = [0x05, 0, 1] }, .truncatedTLV(0x05), 28),
            (header { $0.tlvs = [0xEA, 0xFF, 0xFF, 1, 2, 3] }, .truncatedTLV(0xEA), 28),
            (header { $0.tlvs = BinaryHeader.tlv(0x04, "abc") + [0xE1, 0, 4, 1, 2, 3] }, .truncatedTLV(0xE1), 34),
            (header { ($0.family, $0.addresses, $0.tlvs) = (0x00, [], [1, 2, 3]) }, .truncatedTLV(1), 16),
            (header { $0.tlvs = BinaryHeader.tlv(0x20, [1, 0, 0, 0]) }, .badTLV(0x20), 28),
            // A TLV inside of the SSL one that reaches past it, into what follows.
            (header { $0.tlvs = BinaryHeader.ssl(client: 1, verify: 0, [[0x21, 0, 4, 1, 2, 3]]) + name }, .truncatedTLV(0x21), 36),
            (header { $0.tlvs = BinaryHeader.ssl(client: 1, verify: 0, [[0x21, 0]]) }, .truncatedTLV(0x21), 36),
            (header { $0.tlvs = BinaryHeader.ssl(client: 7, verify: 0, [name, name]) }, .repeatedTLV(0x22), 47),
            (
                header { $0.tlvs = BinaryHeader.ssl(client: 7, verify: 0, []) + BinaryHeader.ssl(client: 7, verify: 0, []) },
                .repeatedTLV(0x20), 36
            ),
            (header { $0.tlvs = twoChecksums + twoChecksums }, .repeatedTLV(0x03), 35),
            (header { $0.tlvs = BinaryHeader.tlv(0x03, [0, 0, 0]) }, .badTLV(0x03), 28),
            (header { $0.tlvs = BinaryHeader.tlv(0x03, []) }, .badTLV(0x03), 28),
            (wrongChecksum, .badChecksum(announced: checksum ^ 1, computed: checksum), 36),
            (header { $0.tlvs = BinaryHeader.tlv(0x05, [UInt8](repeating: 65, count: 129)) }, .badTLV(0x05), 28),
        ]
    }()

    @Test(arguments: badHeaders.indices) func aBinaryHeaderThatBreaksTheRulesIsRefusedWithTheRuleAndThePlace(index: Int) {
        let (stream, reason, offset) = Self.badHeaders[index]
        let outcome = ProxyOutcome.refused(ProxyHeaderError(reason, offset: offset))
        #expect(proxyOutcome(of: stream) == outcome)
        expectSameAtEveryCut(stream, outcome)
    }

    @Test(arguments: 2...15) func anUnknownCommandIsRefused(command: UInt8) {
        let outcome = proxyOutcome(of: BinaryHeader(versionAndCommand: 0x20 | command).encoded)
        #expect(outcome == .refused(ProxyHeaderError(.badCommand(command), offset: 12)))
    }

    @Test func everyFamilyIsEitherTakenOrRefusedAsTheSpecificationSays() {
        let space = [UInt8](repeating: 0, count: 216)
        for family in UInt8.min...UInt8.max {
            let isKnown = family >> 4 <= 3 && family & 15 <= 2
            let outcome = proxyOutcome(of: BinaryHeader(family: family, addresses: space).encoded)
            // Zeros make no TLVs with room for two addresses in front: 216 - 12 and 216 - 36 are multiples of three.
            #expect((outcome.reason == .badFamily(family)) == !isKnown, "0x\(String(family, radix: 16))")
            #expect((outcome.reason == nil) == isKnown, "0x\(String(family, radix: 16))")
        }
    }

    @Test(arguments: 0..<12) func aSignatureWithAnotherByteInItIsRefusedAtThatByte(offset: Int) {
        var stream = BinaryHeader().encoded
        stream[offset] ^= 0x80
        #expect(proxyOutcome(of: stream) == .refused(ProxyHeaderError(.noHeader, offset: offset)))
    }

    // Golden vectors.

    @Test(arguments: GoldenVector.all) func whatARealHAProxySentIsUnderstood(vector: GoldenVector) throws {
        let outcome = proxyOutcome(of: vector.bytes + bytes("payload"))
        guard case .header(let header, let count) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(count == vector.bytes.count)
        #expect("\(header)" == vector.description)
        expectSameAtEveryCut(vector.bytes, outcome)
    }

    @Test(arguments: GoldenVector.all) func noneOfItsBytesIsMissedAndNoneTooManyIsTaken(vector: GoldenVector) {
        for count in 0..<vector.bytes.count {
            #expect(proxyOutcome(of: Array(vector.bytes[..<count])) == .unfinished)
        }
    }

    // The limits.

    @Test func aHeaderOfExactlyTheLimitIsTakenAndOneByteMoreIsRefused() {
        let padding = BinaryHeader.tlv(0x04, [UInt8](repeating: 0, count: 4096 - 28 - 3))
        let largest = BinaryHeader(tlvs: padding).encoded
        #expect(largest.count == 4096)
        #expect(proxyOutcome(of: largest).reason == nil)
        #expect(
            proxyOutcome(of: largest, headerBytesMax: 4095) == .refused(ProxyHeaderError(.headerTooLong(headerBytesMax: 4095), offset: 14)))
    }

    @Test func aLimitThatHasNoRoomForAnyHeaderRefusesThemAll() {
        #expect(proxyOutcome(of: BinaryHeader().encoded, headerBytesMax: 0).reason == .headerTooLong(headerBytesMax: 0))
    }

    @Test func whatWasTakenInIsCountedAndGivenUp() throws {
        var parser = ProxyHeaderParser()
        let header = BinaryHeader().encoded
        _ = try parser.parse(header.span.extracting(..<20))
        #expect(parser.unfinishedByteCount == 20)
        _ = try parser.parse(header.span.extracting(20...))
        #expect(parser.unfinishedByteCount == 0)
    }

    @Test func anErrorIsSaidAgainWhateverComes() {
        var parser = ProxyHeaderParser()
        let error = ProxyHeaderError(.noHeader, offset: 3)
        #expect(parser.outcome(of: bytes("PROPFIND"), in: [1]) == .refused(error))
        #expect(parser.outcome(of: GoldenVector.all[0].bytes, in: [1]) == .refused(error))
        #expect(parser.unfinishedByteCount == 0)
    }

    @Test func nothingInsideOfTheInputIsNothing() throws {
        var parser = ProxyHeaderParser()
        let nothing: [UInt8] = []
        let isNothing = try parser.parse(nothing.span) == nil
        #expect(isNothing)
    }

    // P8.
    @Test func aHeaderBehindAHeaderIsNotTaken() {
        let first = GoldenVector.all[0].bytes
        let stream = first + BinaryHeader().encoded
        guard case .header(let header, let count) = proxyOutcome(of: stream) else {
            Issue.record("no header")
            return
        }
        #expect(count == first.count)
        #expect(header.version == .v1)
    }

    /// Expects the same at every cut into two, byte by byte, and in pieces of two to nine bytes.
    private func expectSameAtEveryCut(_ stream: [UInt8], _ expected: ProxyOutcome, sourceLocation: SourceLocation = #_sourceLocation) {
        for cut in 1..<max(2, stream.count) {
            var parser = ProxyHeaderParser()
            #expect(parser.outcome(of: stream, in: [cut, stream.count]) == expected, "cut at \(cut)", sourceLocation: sourceLocation)
        }
        for size in 1...9 {
            var parser = ProxyHeaderParser()
            #expect(parser.outcome(of: stream, in: [size]) == expected, "in pieces of \(size)", sourceLocation: sourceLocation)
        }
    }
}

/// A header that haproxy 2.6.12 sent, and what it says.
struct GoldenVector: CustomTestStringConvertible, Sendable {
    let name: String
    let hex: String
    let description: String

    var bytes: [UInt8] { unhex(hex) }
    var testDescription: String { name }

    static let all = [
        GoldenVector(
            name: "v1",
            hex: """
                50524f58592054435034203132372e302e302e31203132372e302e302e3120343030353820393130320d0a
                """,
            description: "PROXY v1 stream 127.0.0.1:40058 -> 127.0.0.1:9102"),
        GoldenVector(
            name: "v1 for a client of a UNIX socket",
            hex: "50524f585920554e4b4e4f574e0d0a",
            description: "PROXY v1 unspecified"),
        GoldenVector(
            name: "v2, a health check",
            hex: "0d0a0d0a000d0a515549540a20000000",
            description: "LOCAL v2"),
        GoldenVector(
            name: "v2, a health check with a checksum and an empty SSL",
            hex: "0d0a0d0a000d0a515549540a2000000f030004889da1df2000050000000000",
            description: "LOCAL v2"),
        GoldenVector(
            name: "v2, a client of a UNIX socket",
            hex: "0d0a0d0a000d0a515549540a2000000a030004826374b8050000",
            description: "LOCAL v2"),
        GoldenVector(
            name: "v2 over IPv6",
            hex: """
                0d0a0d0a000d0a515549540a212100240000000000000000000000000000000100000000000000000000000000000001b2ee238f
                """,
            description: "PROXY v2 stream [::1]:45806 -> [::1]:9103"),
        GoldenVector(
            name: "v2 over IPv4 with a checksum and a unique id",
            hex: """
                0d0a0d0a000d0a515549540a211100287f0000017f000001e9e6238d0300046c3e48790500123132372e302e302e315f2d2d5f3232383934
                """,
            description: "PROXY v2 stream 127.0.0.1:59878 -> 127.0.0.1:9101 id \"127.0.0.1_--_22894\""),
        GoldenVector(
            name: "v2 with a verified client certificate",
            hex: """
                0d0a0d0a000d0a515549540a211100a77f0000017f000001dc0a7303030004a7d1ff55010002683202000c73686f702e6578616d706c65
                05002e37463030303030313a444330415f37463030303030313a373330335f36423031413633305f303030303a36453544
                20004c0700000000210007544c5376312e3322000a636c69656e74206f6e652500075253413230343824000a5253412d534841323536
                230016544c535f4145535f3235365f47434d5f534841333834
                """,
            description: "PROXY v2 stream 127.0.0.1:56330 -> 127.0.0.1:29443 id \"7F000001:DC0A_7F000001:7303_6B01A630_0000:6E5D\""),
        GoldenVector(
            name: "v2 with a certificate that nobody vouches for",
            hex: """
                0d0a0d0a000d0a515549540a2111009f7f0000017f000001dc0c7303030004f5d4b6c302000c73686f702e6578616d706c65
                05002e37463030303030313a444330435f37463030303030313a373330335f36423031413633305f303030313a36453544
                2000490700000012210007544c5376312e332200076d616c6c6f72792500075253413230343824000a5253412d534841323536
                230016544c535f4145535f3235365f47434d5f534841333834
                """,
            description: "PROXY v2 stream 127.0.0.1:56332 -> 127.0.0.1:29443 id \"7F000001:DC0C_7F000001:7303_6B01A630_0001:6E5D\""),
        GoldenVector(
            name: "v2 with TLS and no client certificate",
            hex: """
                0d0a0d0a000d0a515549540a211100867f0000017f000001dc12730303000440d92844
                05002e37463030303030313a444331325f37463030303030313a373330335f36423031413633315f303030323a36453544
                20003f0100000000210007544c5376312e332500075253413230343824000a5253412d534841323536
                230016544c535f4145535f3235365f47434d5f534841333834
                """,
            description: "PROXY v2 stream 127.0.0.1:56338 -> 127.0.0.1:29443 id \"7F000001:DC12_7F000001:7303_6B01A631_0002:6E5D\""),
    ]

    /// The header that the vector of this name says.
    static func header(_ name: String) -> ProxyHeader? {
        guard let vector = all.first(where: { $0.name == name }), case .header(let header, _) = proxyOutcome(of: vector.bytes) else {
            return nil
        }
        return header
    }
}
