import TestSupport
import Testing

@testable import Twill

@Suite("Addresses", .nothingLivesOn)
struct AddressTests {
    @Test func aLiteralHostOfEitherFamilyIsAnAddress() {
        #expect(Address(host: "127.0.0.1", port: 8007) == .ipv4(IPv4Address(bits: 0x7F00_0001, port: 8007)))
        #expect(Address(host: "::1", port: 8007) == .ipv6(IPv6Address(high: 0, low: 1, port: 8007)))
    }

    @Test(arguments: ["localhost", "", "example.com", "127.1", "[::1]", "/run/chat.sock"])
    func aNameIsNoAddress(text: String) {
        #expect(Address(host: text, port: 80) == nil)
    }

    @Test func anAddressReadsAsAPersonWouldTypeIt() {
        #expect(Address(host: "127.0.0.1", port: 8007)?.description == "127.0.0.1:8007")
        #expect(Address(host: "::1", port: 8007)?.description == "[::1]:8007")
        #expect(Address.unix("/run/chat.sock").description == "/run/chat.sock")
        #expect(Address.unix("").description == "an unnamed UNIX socket")
        #expect(Address.unknown.description == "an unknown address")
    }

    @Test func hostAndPortAreTakenApart() {
        let address = Address(host: "::1", port: 443)
        #expect(address?.host == "::1")
        #expect(address?.port == 443)
        #expect(Address.unix("/tmp/a").host == "/tmp/a")
        #expect(Address.unix("/tmp/a").port == nil)
        #expect(Address.unknown.host == "")
        #expect(Address.unknown.port == nil)
    }

    @Test func aPathsControlCharactersAreNotPrinted() {
        #expect("\(Address.unix("/tmp/a\r\nb\u{1B}"))" == #"/tmp/a\r\nb\u{1B}"#)
        #expect("\(Address.unix("/tmp/ä b"))" == "/tmp/ä b")
    }

    @Test func addressesWithOneHostAndPortAreOneInASet() {
        let addresses: Set<Address?> = [
            Address(host: "::1", port: 1), Address(host: "0:0::1", port: 1), Address(host: "::1", port: 2),
            Address(host: "127.0.0.1", port: 1),
        ]
        #expect(addresses.count == 3)
    }

    @Test func aPipeHasANameAndNoAddress() {
        let pipe = Address.pipe("standard input\u{7}")
        #expect("\(pipe)" == "standard input\\u{07}")
        #expect(pipe.host == "" && pipe.port == nil)
        #expect("\(Address.pipe(""))" == "a pipe")
        #expect(pipe.with(port: 7) == pipe)
        #expect(pipe != .pipe("another"))
    }
}
