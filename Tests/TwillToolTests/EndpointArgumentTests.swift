import Testing

@testable import TwillTool

/// Addresses as they are typed, to listen on and to connect to.
struct EndpointArgumentTests {
    @Test(arguments: [
        ("tcp:8007", "", 8007),
        ("tcp:0", "", 0),
        ("tcp:65535", "", 65_535),
        ("tcp:127.0.0.1:8007", "127.0.0.1", 8007),
        ("tcp:0.0.0.0:0", "0.0.0.0", 0),
        ("tcp:[::1]:8007", "::1", 8007),
        ("tcp:[::]:80", "::", 80),
    ])
    func placeToListenIsRead(text: String, host: String, port: Int) throws {
        let endpoint = try EndpointArgument.listening(text)
        #expect(endpoint == EndpointArgument(host: host, port: port))
        #expect(endpoint.description == text)
    }

    @Test(arguments: [("udp:8007", "", 8007), ("udp:127.0.0.1:0", "127.0.0.1", 0), ("udp:[::1]:65535", "::1", 65_535)])
    func placeToServeDatagramsIsRead(text: String, host: String, port: Int) throws {
        let endpoint = try EndpointArgument.serving(text)
        #expect(endpoint == EndpointArgument(scheme: .udp, host: host, port: port))
        #expect(endpoint.description == text)
        let stream = text.replacing("udp", with: "tcp")
        #expect(try EndpointArgument.serving(stream) == EndpointArgument.listening(stream))
    }

    @Test(arguments: [
        ("tcp:127.0.0.1:8007", "127.0.0.1", 8007),
        ("tcp:localhost:1", "localhost", 1),
        ("tcp:my-host_2.example.com:65535", "my-host_2.example.com", 65_535),
        ("tcp:[::1]:8007", "::1", 8007),
    ])
    func placeToConnectToIsRead(text: String, host: String, port: Int) throws {
        let endpoint = try EndpointArgument.connecting(text)
        #expect(endpoint == EndpointArgument(host: host, port: port))
        #expect(endpoint.description == text)
    }

    private static let badEverywhere = [
        "", "tcp", "tcp:", "tcp::", "tcp::80", "8007", "127.0.0.1:8007", "udp:8007", "TCP:8007", " tcp:8007", "tcp:8007 ", "tcp:+80",
        "tcp:-1", "tcp:65536", "tcp:99999999999999999999", "tcp:0x50", "tcp:٨٠", "tcp:80.5", "tcp:127.0.0.1:", "tcp:127.0.0.1:80x",
        "tcp:127.0.0.1:80:90", "tcp:127.0.0.1:65536", "tcp:127.0.0.256:80", "tcp:127.1:80", "tcp:[::1:80", "tcp:::1]:80", "tcp:[]:80",
        "tcp:[127.0.0.1]:80", "tcp:[localhost]:80", "tcp:::1:80", "tcp:[::1]", "tcp:[::1]80", "tcp:a b:80", "tcp:a/b:80",
    ]

    @Test(arguments: badEverywhere + ["tcp:localhost:80", "tcp:example.com:80"])
    func whatIsNoPlaceToListenIsRefused(text: String) {
        #expect(throws: (any Error).self) { try EndpointArgument.listening(text) }
        guard !text.hasPrefix("udp:") else { return }
        #expect(throws: (any Error).self) { try EndpointArgument.serving(text) }
        #expect(throws: (any Error).self) { try EndpointArgument.serving(text.replacing("tcp", with: "udp")) }
    }

    @Test(arguments: badEverywhere + ["tcp:8007", "tcp:127.0.0.1:0"])
    func whatIsNoPlaceToConnectToIsRefused(text: String) {
        #expect(throws: (any Error).self) { try EndpointArgument.connecting(text) }
    }
}
