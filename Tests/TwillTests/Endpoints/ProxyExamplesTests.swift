import TestSupport
import Testing

@testable import Twill

// The programs of Proxies.md and of the documentation beside the sources, word for word (only that the test library knows another `Protocol`, and
// that a test listens on port 0 of this machine), and what they say they do.

private final class Shout: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine(text(line).uppercased()) }
}

private final class Shop: LineReceiver {
    override func connectionMade() {
        guard let proxied = transport.proxied else { return }  // a connection without a proxy
        let header = proxied.header
        print("\(transport.peer) by way of \(proxied.realPeer), id \(header.uniqueIDText ?? "none")")
        if header.command == .local { return }  // a health check
        guard header.ssl?.identity == "till 7" else { return transport.loseConnection() }
    }
}

@Suite(.nothingLivesOn) final class ProxyExamplesTests {
    private let reactor = VirtualReactor()
    private let proxy = Address(host: "10.0.0.9", port: 40_000) ?? .unknown

    deinit { reactor.end() }

    @Test func theServerOfTheOverviewShoutsAtClientsBehindAProxy() throws {
        try withReactor { reactor in
            let shouts = Factory { Shout() }
            let limited = LimitConnectionsByPeer(wrapping: shouts, connectionsMax: 20)  // each client's, not the balancer's
            let behindProxy = try ProxyProtocolFactory(wrapping: limited, trusting: "10.0.0.0/8, fd00::/8")
            let here = try ProxyProtocolFactory(wrapping: limited, trusting: "127.0.0.1")
            let port = try reactor.listenTCP(port: 0, factory: here, interface: "127.0.0.1").number
            #expect(behindProxy.trusted.contains(proxy))
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                try client.send("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\nhello\r\n")
                try client.expect("HELLO\r\n")
                return client
            } then: { client in
                #expect(limited.connectionCount(of: "192.0.2.7") == 1)
                withExtendedLifetime(client) { reactor.stop() }
            }
        }
    }

    @Test func theShopServesItsTillsAndHealthChecksAndNobodyElse() throws {
        let factory = try ProxyProtocolFactory(wrapping: Factory { Shop() }, trusting: "10.0.0.0/8")
        func isServed(_ header: [UInt8], from peer: Address) throws -> Bool {
            let transport = try reactor.connection(to: factory, from: peer)
            transport.say(text(header.span))
            return transport.state == .connected
        }
        func till(_ name: String, verify: UInt32 = 0, client: UInt8 = 7) -> [UInt8] {
            BinaryHeader(tlvs: BinaryHeader.ssl(client: client, verify: verify, [BinaryHeader.tlv(0x22, name)])).encoded
        }
        #expect(try isServed(till("till 7"), from: proxy))
        #expect(!(try isServed(till("till 8"), from: proxy)))
        #expect(!(try isServed(till("till 7", verify: 1), from: proxy)))
        #expect(!(try isServed(till("till 7", client: 1), from: proxy)))
        #expect(!(try isServed(BinaryHeader().encoded, from: proxy)))
        #expect(try isServed(BinaryHeader(versionAndCommand: 0x20).encoded, from: proxy))
        #expect(try reactor.connection(to: Factory { Shop() }, from: proxy).state == .connected)
    }

    @Test func theParserServesChunks() throws {
        var served: (Address?, [UInt8])?
        func serve(_ source: Address?, beginningWith rest: ArraySlice<UInt8>) { served = (source, Array(rest)) }
        let chunks = ["PROXY TCP4 192.0.2.7 10.", "0.0.1 56324 443\r\nhel", "lo"].map(bytes)
        var parser = ProxyHeaderParser()
        for chunk in chunks {
            guard let (header, byteCount) = try parser.parse(chunk.span) else { continue }
            serve(header.source, beginningWith: chunk[byteCount...])
            break
        }
        #expect(served?.0 == Address(host: "192.0.2.7", port: 56324))
        #expect(served?.1 == bytes("hel"))
    }

    @Test func theOfficeIsANetwork() throws {
        let office = try IPNetwork("192.0.2.0/24")
        #expect(office.contains(try #require(Address(host: "192.0.2.7", port: 1))))
    }
}
