import Testing
import Twill

@testable import TwillTool

/// Endpoints as they are typed, to serve on and to connect to; their grammar is tested with the library.
struct EndpointArgumentsTests {
    @Test(arguments: [
        ("tcp:8007", "tcp:8007"), ("TCP:127.0.0.1:0", "tcp:127.0.0.1:0"), ("tcp:[::1]:80", "tcp:[::1]:80"), ("unix:/run/x", "unix:/run/x"),
        ("fd:3", "fd:3"), ("haproxy:tcp:1:trust=10.0.0.0/8", "haproxy:tcp:1:trust=[10.0.0.0/8]"),
    ])
    func placeToServeConnectionsIsRead(text: String, description: String) throws {
        guard case .stream(let endpoint) = try ServedEndpoint(parsing: text) else {
            Issue.record("\(text) is read as a place for datagrams")
            return
        }
        #expect(endpoint.description == description)
    }

    @Test(arguments: [("udp:8007", "", 8007), ("UDP:127.0.0.1:0", "127.0.0.1", 0), ("udp:[::1]:65535", "::1", 65_535)])
    func placeToServeDatagramsIsRead(text: String, host: String, port: Int) throws {
        guard case .datagrams(let binding) = try ServedEndpoint(parsing: text) else {
            Issue.record("\(text) is read as a place for connections")
            return
        }
        #expect(binding.interface == host && binding.port == port && binding.maxPacketSize == 65_507)
    }

    private static let bad = [
        "", "tcp", "tcp:", "tcp::", "8007", "127.0.0.1:8007", "tcp:+80", "tcp:-1", "tcp:65536", "tcp:99999999999999999999", "tcp:0x50",
        "tcp:٨٠", "tcp:80.5", "tcp:127.0.0.1:80:90", "tcp:127.0.0.256:80", "tcp:[::1:80", "tcp:::1:80", "tcp:[::1]", "tcp:[::1]80",
        "tcp:a b:80", "tcp:a/b:80", "unix:", "nope:1",
    ]

    @Test(
        arguments: bad + ["tcp:localhost:80", "udp", "udp:", "udp:localhost:80", "udp:65536", "udp:1:2:3", "udp:80:reusePort=1", "udp::80"])
    func whatIsNoPlaceToServeIsRefused(text: String) {
        #expect(throws: (any Error).self) { try ServedEndpoint(parsing: text) }
    }

    @Test(arguments: bad + ["tcp:8007", "tcp:127.0.0.1:0", "udp:127.0.0.1:1", "fd:3"])
    func whatIsNoPlaceToConnectToIsRefused(text: String) {
        #expect(throws: (any Error).self) { try streamClient(text) }
    }

    @Test func endpointIsPrintedAsItIsTyped() throws {
        #expect(Address(host: "127.0.0.1", port: 80)?.endpoint() == "tcp:127.0.0.1:80")
        #expect(Address(host: "::1", port: 80)?.endpoint("udp") == "udp:[::1]:80")
        #expect(Address.unix("/run/a:b").endpoint() == "unix:/run/a\\:b")
    }
}
