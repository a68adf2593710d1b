import TestSupport
import Testing

@testable import Twill

@Suite("IPv4 and IPv6 addresses", .nothingLivesOn)
struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", 0x0000_0000), ("127.0.0.1", 0x7F00_0001), ("255.255.255.255", 0xFFFF_FFFF), ("1.2.3.4", 0x0102_0304),
        ("10.0.0.9", 0x0A00_0009), ("192.168.100.200", 0xC0A8_64C8),
    ])
    func fourDecimalNumbersAreAnIPv4Address(text: String, bits: UInt32) throws {
        let address = try #require(IPv4Address(host: text, port: 80))
        #expect(address.bits == bits)
        #expect(address.host == text)
        #expect(address.description == "\(text):80")
    }

    @Test(arguments: [
        "", ".", "...", "1", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1.2.3.4.5", "1..3.4", "256.1.1.1", "1.1.1.256", "1.1.1.1000",
        "01.1.1.1",
        "1.1.1.00", "010.0.0.1", "0x7f.0.0.1", "1.2.3.a", "+1.2.3.4", "-1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\0", "1.2.3.4:80",
        "localhost",
        "١.٢.٣.٤", "１.2.3.4", "999.1.1.1", "1.2.3.4294967297",
    ])
    func anythingElseIsNoIPv4Address(text: String) {
        #expect(IPv4Address(host: text, port: 80) == nil)
    }

    @Test func everyIPv4AddressIsReadAsItIsPrinted() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<10_000 {
            let address = IPv4Address(bits: UInt32.random(in: .min ... .max, using: &generator), port: 1)
            #expect(IPv4Address(host: address.host, port: 1) == address)
        }
    }

    // The right column is the canonical form of RFC 5952.
    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:0", "::"), ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:0db8::0001", "2001:db8::1"), ("2001:DB8::A", "2001:db8::a"), ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"), ("1:0:0:2:3:4:5:6", "1::2:3:4:5:6"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80::0:0:1", "fe80::1"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("::FFFF:C000:0201", "::ffff:192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("fe80::1%2", "fe80::1%2"), ("::1%0", "::1"), ("1:0:0:0:0:0:0:0", "1::"), ("0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"),
    ])
    func anIPv6AddressIsPrintedInItsCanonicalForm(text: String, canonical: String) throws {
        let address = try #require(IPv6Address(host: text, port: 443))
        #expect(address.host == canonical)
        #expect(address.description == "[\(canonical)]:443")
        #expect(IPv6Address(host: canonical, port: 443) == address)
    }

    @Test(arguments: [
        "", ":", ":::", "::::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "12345::",
        "g::",
        ":1::", "1::2:", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "1.2.3.4", "1.2.3.4::",
        "1.2.3.4::1",
        "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "::1%", "::1%eth0", "::1%-1", "::1%+1", "::1%4294967296", "::1%1%2", " ::1",
        "::1 ",
        "+1::", "-1::", "::１", "localhost", "::1\0", "::ffff:01.2.3.4",
    ])
    func anythingElseIsNoIPv6Address(text: String) {
        #expect(IPv6Address(host: text, port: 80) == nil)
    }

    @Test func everyIPv6AddressIsReadAsItIsPrinted() {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<10_000 {
            // Groups that are mostly zero, so that every form of `::` comes up.
            let groups = (0..<8).map { _ in Bool.random(using: &generator) ? UInt64.random(in: 0...0xFFFF, using: &generator) : 0 }
            let address = IPv6Address(
                high: groups[..<4].reduce(0) { $0 << 16 | $1 }, low: groups[4...].reduce(0) { $0 << 16 | $1 }, port: 1)
            #expect(IPv6Address(host: address.host, port: 1) == address)
        }
    }

    @Test func onlyAMappedAddressHoldsAnIPv4Address() throws {
        let mapped = try #require(IPv6Address(host: "::ffff:10.1.2.3", port: 7))
        #expect(mapped.mappedIPv4 == IPv4Address(host: "10.1.2.3", port: 7))
        for text in ["::10.1.2.3", "::1", "1::ffff:10.1.2.3", "::fffe:10.1.2.3", "0:0:0:0:1:ffff:a01:203"] {
            let address = try #require(IPv6Address(host: text, port: 7))
            #expect(address.mappedIPv4 == nil, "\(text)")
        }
    }
}
