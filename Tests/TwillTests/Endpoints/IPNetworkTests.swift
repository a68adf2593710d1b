import TestSupport
import Testing

@testable import Twill

@Suite("Networks of trusted peers", .nothingLivesOn) struct IPNetworkTests {
    private func contains(_ network: String, _ host: String) throws -> Bool {
        try IPNetwork(network).contains(try #require(Address(host: host, port: 7)))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0", true), ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "9.255.255.255", false), ("192.0.2.128/25", "192.0.2.128", true), ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.6", false), ("192.0.2.7/32", "192.0.2.7", true),
        ("192.0.2.6/31", "192.0.2.7", true), ("0.0.0.0/0", "255.1.2.3", true), ("0.0.0.0/0", "::1", false),
        ("fd00::/8", "fd12:3456::1", true), ("fd00::/8", "fe00::1", false), ("2001:db8::/64", "2001:db8::ffff:1", true),
        ("2001:db8::/64", "2001:db8:0:1::", false), ("2001:db8::/65", "2001:db8::7fff:0:0:0", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:0", false), ("2001:db8::8/127", "2001:db8::9", true), ("::1", "::1", true),
        ("::1", "::2", false), ("::/0", "2001:db8::1", true), ("::/0", "127.0.0.1", false),
        // An IPv4 address in IPv6 clothes is an IPv4 address.
        ("10.0.0.0/8", "::ffff:10.1.2.3", true), ("10.0.0.0/8", "::ffff:11.1.2.3", false), ("::/0", "::ffff:10.1.2.3", false),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::ffff:10.0.0.0/104", "11.1.2.3", false), ("::ffff:192.0.2.7", "192.0.2.7", true),
        ("::ffff:0:0/96", "1.2.3.4", true), ("::a00:0/104", "10.1.2.3", false),
    ])
    func itContainsWhatBeginsAsItDoes(network: String, host: String, isInside: Bool) throws {
        #expect(try contains(network, host) == isInside)
    }

    @Test func theScopeOfAnAddressDoesNotMatter() throws {
        #expect(try IPNetwork("fe80::/10").contains(.ipv6(IPv6Address(high: 0xFE80 << 48, low: 1, port: 7, scopeID: 3))))
    }

    @Test func whoHasNoAddressIsInNone() throws {
        for network in [try IPNetwork("0.0.0.0/0"), try IPNetwork("::/0")] {
            #expect(!network.contains(.unix("/run/a.sock")))
            #expect(!network.contains(.unix("")))
            #expect(!network.contains(.unknown))
        }
    }

    @Test(arguments: [
        ("", IPNetworkError.Reason.notAnAddress), ("/8", .notAnAddress), ("localhost", .notAnAddress), ("10.0.0/8", .notAnAddress),
        ("10.0.0.01", .notAnAddress), (" 10.0.0.0/8", .notAnAddress), ("fe80::1%2", .notAnAddress), ("fe80::%0/10", .notAnAddress),
        ("[::1]", .notAnAddress), ("10.0.0.0:80", .notAnAddress), ("10.0.0.0/", .badPrefixLength(max: 32)),
        ("10.0.0.0/33", .badPrefixLength(max: 32)), ("10.0.0.0/-1", .badPrefixLength(max: 32)), ("10.0.0.0/+8", .badPrefixLength(max: 32)),
        ("10.0.0.0/08", .badPrefixLength(max: 32)), ("10.0.0.0/8 ", .badPrefixLength(max: 32)), ("10.0.0.0/8/8", .badPrefixLength(max: 32)),
        ("10.0.0.0/255.0.0.0", .badPrefixLength(max: 32)), ("10.0.0.0/99999999999999999999", .badPrefixLength(max: 32)),
        ("fd00::/129", .badPrefixLength(max: 128)), ("10.0.0.1/8", .bitsBehindPrefix), ("10.0.0.0/4", .bitsBehindPrefix),
        ("fd00::1/8", .bitsBehindPrefix), ("::1/0", .bitsBehindPrefix), ("0.0.0.1/0", .bitsBehindPrefix),
        ("::ffff:10.0.0.1/104", .bitsBehindPrefix),
    ])
    func whatIsNoNetworkIsRefusedWithAReason(text: String, reason: IPNetworkError.Reason) {
        #expect(throws: IPNetworkError(reason, in: text)) { try IPNetwork(text) }
    }

    @Test func theReasonIsASentenceThatNamesTheText() {
        for reason in [IPNetworkError.Reason.notAnAddress, .badPrefixLength(max: 32), .bitsBehindPrefix] {
            #expect("\(IPNetworkError(reason, in: "10.0.0.1/8"))".hasPrefix("'10.0.0.1/8' is no network: "))
        }
    }

    @Test(arguments: ["10.0.0.0/8", "192.0.2.7/32", "0.0.0.0/0", "fd00::/8", "::/0", "2001:db8::1/128"])
    func itIsPrintedAsItIsWritten(text: String) throws {
        let network = try IPNetwork(text)
        #expect("\(network)" == text)
        #expect(try IPNetwork("\(network)") == network)
    }

    @Test func aSingleAddressIsANetworkOfOne() throws {
        #expect(try IPNetwork("192.0.2.7") == IPNetwork("192.0.2.7/32"))
        #expect(try IPNetwork("::ffff:10.0.0.0/104") == IPNetwork("10.0.0.0/8"))
        #expect(try IPNetwork("10.0.0.0/8") != IPNetwork("10.0.0.0/9"))
    }

    // Compared with what a loop over the bits says.
    @Test(arguments: 0..<200) func everyPrefixComparesThatManyBits(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let (high, low) = (generator.next(), generator.next())
        let length = Int.random(in: 0...128, using: &generator)
        func bit(_ index: Int, _ high: UInt64, _ low: UInt64) -> UInt64 { (index < 64 ? high >> (63 - index) : low >> (127 - index)) & 1 }
        var (maskedHigh, maskedLow) = (UInt64(0), UInt64(0))
        for index in 0..<length {
            if index < 64 {
                maskedHigh |= bit(index, high, low) << (63 - index)
            } else {
                maskedLow |= bit(index, high, low) << (127 - index)
            }
        }
        let network = try IPNetwork("\(IPv6Address(high: maskedHigh, low: maskedLow, port: 0).host)/\(length)")
        for _ in 0..<20 {
            let flipped = Int.random(in: 0...127, using: &generator)
            let other = IPv6Address(
                high: flipped < 64 ? high ^ 1 << (63 - flipped) : high, low: flipped < 64 ? low : low ^ 1 << (127 - flipped), port: 1)
            // The few that are IPv4 addresses in disguise are tested by name.
            if other.mappedIPv4 != nil { continue }
            #expect(network.contains(.ipv6(other)) == (flipped >= length), "seed \(seed)")
        }
    }
}
