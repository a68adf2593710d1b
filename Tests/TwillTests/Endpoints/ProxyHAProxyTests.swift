import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Servers behind the real thing.
@Suite("Behind a real HAProxy", .nothingLivesOn, .enabled(if: HAProxyProcess.program != nil, "\(HAProxyProcess.isMissing)"))
final class ProxyHAProxyTests {
    /// Says who the client is, how its header came and what it is called; then echoes, to the end of its input.
    private final class Greeter: Twill::Protocol, HalfCloseableProtocol {
        private let served: Served

        init(_ served: Served) {
            self.served = served
            super.init()
        }

        override func connectionMade() {
            guard let proxied = transport.proxied else { return }
            let header = proxied.header
            let isCheck = header.command == .local
            (isCheck ? served.checks : served.clients).add()
            if isCheck, transport.peer != proxied.realPeer { served.mistakes.add() }
            if proxied.realPeer.host != "127.0.0.1" || proxied.realPeer == transport.peer && !isCheck { served.mistakes.add() }
            try? transport.registerProducer(transport, streaming: true)
            transport.write("\(header.version) \(transport.peer) \(header.uniqueIDText ?? "-") \(header.checksum != nil)\n")
        }

        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }

        func readConnectionLost() { transport.loseConnection() }

        func writeConnectionLost() {}
    }

    /// What the servers of a test count.
    private final class Served: Sendable {
        let checks = Counter()
        let clients = Counter()
        let mistakes = Counter()
    }

    private let served = Served()
    private let log = RecordedLog()

    /// Runs a server behind a haproxy, and a client.
    private func run(
        trusting list: String = "127.0.0.1", _ configuration: @escaping @Sendable (Int, [Int], String) -> String, portCount: Int = 1,
        client: @escaping @Sendable (HAProxyProcess) throws -> Void
    ) throws -> ProxyProtocolFactory {
        let factory = try ProxyProtocolFactory(wrapping: Factory { [served] in Greeter(served) }, trusting: list)
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                try client(try HAProxyProcess(portCount: portCount) { ports, folder in configuration(port, ports, folder) })
            }
        }
        return factory
    }

    /// A client's own address, as it will be announced.
    private static func address(of client: RawSocket) -> Address { Socket(descriptor: client.descriptor).localAddress }

    /// How haproxy is told to send a header, and what the server then says of it.
    struct Sending: Sendable, CustomTestStringConvertible {
        let options: String
        let version: String
        let hasID: Bool
        let hasChecksum: Bool

        var testDescription: String { options }

        static let all = [
            Sending(options: "send-proxy", version: "v1", hasID: false, hasChecksum: false),
            Sending(options: "send-proxy-v2", version: "v2", hasID: false, hasChecksum: false),
            Sending(options: "send-proxy-v2 proxy-v2-options crc32c", version: "v2", hasID: false, hasChecksum: true),
            Sending(options: "send-proxy-v2 proxy-v2-options unique-id,crc32c", version: "v2", hasID: true, hasChecksum: true),
        ]
    }

    @Test(arguments: Sending.all) func theServerSeesTheClient(sending: Sending) throws {
        let factory = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                unique-id-format id-%ci:%cp
                server one 127.0.0.1:\(backend) \(sending.options)
            """
        } client: { haproxy in
            for _ in 0..<20 {
                let client = try RawSocket(connectedTo: haproxy.ports[0])
                let address = Self.address(of: client)
                // The server speaks first; haproxy has sent the header before the client said anything.
                try client.expect("\(sending.version) \(address) \(sending.hasID ? "id-\(address)" : "-") \(sending.hasChecksum)\n")
                try client.send("hello")
                try client.expect("hello")
                client.shutdownWriting()
                try client.expectEnd()
            }
        }
        #expect(served.clients.value == 20 && served.mistakes.value == 0)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0 && factory.untrusted == 0)
        #expect(log.entries.isEmpty)
    }

    @Test(arguments: Sending.all) func muchOfItComesThroughUnchanged(sending: Sending) throws {
        let payload = Conformance.bytes(3_000_000)
        _ = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                unique-id-format id
                server one 127.0.0.1:\(backend) \(sending.options)
            """
        } client: { haproxy in
            let client = try RawSocket(connectedTo: haproxy.ports[0])
            let greeting = "\(sending.version) \(Self.address(of: client)) \(sending.hasID ? "id" : "-") \(sending.hasChecksum)\n"
            try client.expect(greeting)
            // Echoed while it is sent, or neither side would go on.
            let sender = Thread {
                try? client.send(payload)
                client.shutdownWriting()
            }
            sender.start()
            let echoed = try client.receive(exactly: payload.count)
            try #require(echoed == payload)
            try client.expectEnd()
        }
        #expect(log.entries.isEmpty)
    }

    @Test(arguments: ["send-proxy-v2 check check-send-proxy", "send-proxy-v2 proxy-v2-options crc32c,unique-id check check-send-proxy"])
    func healthChecksThatSayLOCALAreServedAndTheServerStaysUp(options: String) throws {
        let served = served
        let factory = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                server one 127.0.0.1:\(backend) \(options) inter 50ms fall 2 rise 1
            """
        } client: { haproxy in
            // Five of them, and so the server would be down by now if two had failed.
            for _ in 0..<1_000 where served.checks.value < 5 { pauseThread(.milliseconds(10)) }
            try #require(served.checks.value >= 5)
            let client = try RawSocket(connectedTo: haproxy.ports[0])
            try client.send("hello")
            try #require(try client.receive(exactly: 3) == Array("v2 ".utf8))
        }
        #expect(served.clients.value == 1 && served.mistakes.value == 0)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0 && factory.untrusted == 0)
        #expect(log.entries.isEmpty)
    }

    @Test func healthChecksThatOnlyConnectDisturbNobody() throws {
        let served = served
        let factory = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                server one 127.0.0.1:\(backend) send-proxy-v2 check port \(backend) inter 50ms fall 2 rise 1
            """
        } client: { haproxy in
            for _ in 0..<20 {
                let client = try RawSocket(connectedTo: haproxy.ports[0])
                try #require(try client.receive(exactly: 3) == Array("v2 ".utf8))
                pauseThread(.milliseconds(20))
            }
        }
        #expect(served.clients.value == 20 && served.checks.value == 0)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0)
        #expect(log.entries.isEmpty)
    }

    @Test func aHAProxyThatIsNotTrustedReachesNobody() throws {
        let factory = try run(trusting: "10.0.0.0/8") { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                server one 127.0.0.1:\(backend) send-proxy-v2
            """
        } client: { haproxy in
            let client = try RawSocket(connectedTo: haproxy.ports[0])
            try? client.send("hello")
            let received = try? client.receiveToEnd()
            try #require(received ?? [] == [])
        }
        #expect(factory.untrusted > 0)
        #expect(served.clients.value == 0 && served.checks.value == 0)
    }

    @Test func aHAProxyThatSendsNoHeaderReachesNobody() throws {
        let factory = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                server one 127.0.0.1:\(backend)
            """
        } client: { haproxy in
            let client = try RawSocket(connectedTo: haproxy.ports[0])
            // A client that forges one itself would be believed; one that does not is turned away.
            try client.send("hello\r\n")
            try client.expectEnd()
        }
        #expect(factory.headersRefused == 1)
        #expect(served.clients.value == 0)
        #expect(log.entries.count == 1)
    }

    @Test func aHeaderThatAClientSendsThroughAHAProxyIsData() throws {
        let forged = "PROXY TCP4 198.51.100.66 10.0.0.1 1 2\r\n"
        _ = try run { backend, ports, _ in
            """
            listen clients
                bind 127.0.0.1:\(ports[0])
                server one 127.0.0.1:\(backend) send-proxy-v2
            """
        } client: { haproxy in
            let client = try RawSocket(connectedTo: haproxy.ports[0])
            try client.send(forged)
            try client.expect("v2 \(Self.address(of: client)) - false\n" + forged)
        }
    }

    @Test(.enabled(if: hasIPv6, "this machine has no IPv6")) func clientsThatComeOverIPv6AreSeen() throws {
        _ = try run(
            { backend, ports, _ in
                """
                listen one
                    bind ipv6@[::1]:\(ports[0])
                    server one 127.0.0.1:\(backend) send-proxy
                listen two
                    bind ipv6@[::1]:\(ports[1])
                    server one 127.0.0.1:\(backend) send-proxy-v2
                """
            }, portCount: 2
        ) { haproxy in
            for (port, version) in zip(haproxy.ports, ["v1", "v2"]) {
                let client = try RawSocket(connectedTo: port, host: "::1")
                try client.expect("\(version) \(Self.address(of: client)) - false\n")
            }
        }
        #expect(served.clients.value == 2)
    }

    private static let hasIPv6: Bool = {
        // A refusal says that there is such an address.
        do {
            _ = try RawSocket(connectedTo: 1, host: "::1")
            return true
        } catch {
            return (error as? CallFailure)?.number == ECONNREFUSED
        }
    }()

    // haproxy has no addresses for those: it says UNKNOWN, or LOCAL.
    @Test func clientsOfItsUNIXSocketsAreServedWithTheRealAddresses() throws {
        let folderOfSockets = Shared("")
        _ = try run { backend, _, folder in
            folderOfSockets.value = folder
            return """
                listen one
                    bind unix@\(folder)/one.sock
                    server one 127.0.0.1:\(backend) send-proxy
                listen two
                    bind unix@\(folder)/two.sock
                    server one 127.0.0.1:\(backend) send-proxy-v2
                """
        } client: { haproxy in
            try withExtendedLifetime(haproxy) {
                for (name, version) in [("one", "v1"), ("two", "v2")] {
                    let client = try RawSocket(connectedToPath: "\(folderOfSockets.value)/\(name).sock")
                    try client.expect("\(version) 127.0.0.1:")
                }
            }
        }
    }

    // The configuration of the documentation is one that works.
    @Test func theConfigurationOfTheDocumentationWorks() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = root.deletingLastPathComponent().appendingPathComponent("Sources/Twill/Twill.docc/Proxies.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let start = try #require(text.range(of: "```haproxy\n"))
        let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
        let configuration = String(text[start.upperBound..<end.lowerBound])
        let factory = try ProxyProtocolFactory(wrapping: Factory { [served] in Greeter(served) }, trusting: "127.0.0.1")
        let served = served
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let backends = try (0..<2).map { _ in try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number }
            reactor.runClient {
                let haproxy = try HAProxyProcess(
                    whole: { ports, _ in
                        configuration.replacingOccurrences(of: ":9000", with: ":\(ports[0])")
                            .replacingOccurrences(of: ":9001", with: ":\(backends[0])")
                            .replacingOccurrences(of: ":9002", with: ":\(backends[1])")
                    })
                for _ in 0..<1_000 where served.checks.value < 2 { pauseThread(.milliseconds(10)) }
                for _ in 0..<4 {
                    let client = try RawSocket(connectedTo: haproxy.ports[0])
                    try client.expect("v2 \(Self.address(of: client)) ")
                    let rest = String(decoding: try client.receive(), as: UTF8.self)
                    try #require(rest.hasSuffix(" true\n") && !rest.hasPrefix("-"))
                }
            }
        }
        #expect(served.clients.value == 4 && served.mistakes.value == 0)
        #expect(served.checks.value >= 2)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0 && factory.untrusted == 0)
    }
}
