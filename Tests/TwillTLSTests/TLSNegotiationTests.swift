import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// T3, T9 and T10: names that are asked for, sessions that are taken up again, certificates that change.
@Suite(.nothingLivesOn) struct TLSNegotiationTests {
    /// A server of three certificates, the first for localhost.
    private func hosts(_ change: (inout TLSServerOptions) -> Void = { _ in }) throws -> TLSServerContext {
        let authority = try TestCertificate.authority.get()
        let names = ["DNS:localhost", "DNS:www.example.test,DNS:*.wild.test", "DNS:*.example.test"]
        var options = TLSServerOptions()
        change(&options)
        return try TLSServerContext(
            names.enumerated().map { number, names in
                try TestCertificate(signedBy: authority) { ($0.commonName, $0.names) = ("number \(number)", names) }.identity()
            }, options: options)
    }

    /// Which of the certificates a client is shown that asks for a name; it looks at nothing else of it.
    private func shown(to name: String, by context: TLSServerContext) throws -> String? {
        let client = Recorder()
        var subject: String?
        client.whenMade = { client in
            subject = client.transport.tls?.peerCertificate?.subject
            client.transport.loseConnection()
        }
        try TLSPair(client: client, serverContext: context, clientContext: .test { $0.turnVerificationOff() }, serverName: name)
        return subject.map { String($0.dropFirst("CN=".count).prefix(while: { $0 != "," })) }
    }

    @Test(
        "T3: a client is shown the certificate of the host that it asks for",
        arguments: [
            ("localhost", 0), ("www.example.test", 1), ("WWW.Example.TEST", 1), ("www.example.test.", 1), ("other.example.test", 2),
            ("a.wild.test", 1),
            ("a.b.wild.test", 0), ("example.test", 0), ("nobody.test", 0), ("127.0.0.1", 0),
            (String(repeating: "a.", count: 120) + "test", 0),
        ])
    func theCertificateOfTheHostIsShown(_ name: String, _ number: Int) throws {
        #expect(try shown(to: name, by: hosts()) == "number \(number)")
    }

    @Test("T3: a server may refuse names that it does not have")
    func unknownNamesMayBeRefused() throws {
        let context = try hosts { $0.refusesUnknownNames = true }
        #expect(try shown(to: "a.wild.test", by: context) == "number 1")
        #expect(try shown(to: "127.0.0.1", by: context) == "number 0", "who asks for nobody gets the first")
        let pair = try TLSPair(serverContext: context, clientContext: .test { $0.turnVerificationOff() }, serverName: "no\u{1B}body.test")
        #expect(pair.serverError == .unknownServerName)
        #expect(pair.serverError?.message == "the client asked for \"no?body.test\", which this server does not have")
        #expect(pair.clientError == .alert)
    }

    @Test("T3: a client whose application protocols are all others is refused")
    func noCommonApplicationProtocolIsRefused() throws {
        let pair = try TLSPair(
            serverContext: .test { $0.applicationProtocols = ["a"] }, clientContext: .test { $0.applicationProtocols = ["b", "c"] })
        #expect(pair.serverError == .noApplicationProtocol)
        #expect(pair.clientError == .alert)
        #expect(pair.clientError?.message == "the peer refused this side: the two sides have no application protocol in common")
    }

    @Test func anOlderVersionThanIsWantedIsRefused() throws {
        let pair = try TLSPair(serverContext: .test { $0.minimumVersion = .tls13 }, clientContext: .testLimited(to: .tls12))
        #expect(pair.serverError == .version)
        #expect(pair.clientError == .alert)
    }

    @Test(
        "T9: a session is taken up again after a connection that was closed in good order",
        arguments: [TLSVersion.tls12, .tls13])
    func sessionsAreTakenUpAgain(_ version: TLSVersion) throws {
        let serverContext = try TLSServerContext.test()
        let clientContext = try TLSClientContext.testLimited(to: version)
        var resumed: [Bool] = []
        func connect(_ context: TLSServerContext) throws {
            let (server, client) = (Recorder(), Recorder())
            server.whenMade = { $0.transport.write("hello") }
            client.whenData = { client in
                let tls = try #require(client.transport.tls)
                #expect(tls.version == version)
                #expect(tls.peerCertificate != nil)
                resumed.append(tls.wasResumed)
                client.transport.loseConnection()
            }
            try TLSPair(server: server, client: client, serverContext: context, clientContext: clientContext)
        }
        for _ in 0..<3 { try connect(serverContext) }
        #expect(resumed == [false, true, true])
        try serverContext.reload()
        try connect(serverContext)
        #expect(resumed.last == false, "a reload forgets the keys of the tickets")
        try connect(.test { $0.wantsSessionTickets = false })
        #expect(resumed.last == false)
        try connect(.test { $0.wantsSessionTickets = false })
        #expect(resumed.last == false, "where there are no tickets, there is nothing to take up again")
    }

    @Test("T10: a reload gives new connections the new certificate, and leaves the old ones alone")
    func aReloadLeavesConnectionsAlone() throws {
        let authority = try TestCertificate.authority.get()
        let folder = try TemporaryFolder()
        func put(_ name: String) throws {
            let made = try TestCertificate(signedBy: authority) { $0.commonName = name }
            _ = try folder.write("server.pem", made.certificate)
            _ = try folder.write("server.key", made.key)
        }
        try put("old")
        let context = try TLSServerContext(certificateFile: "\(folder.path)/server.pem", keyFile: "\(folder.path)/server.key")
        var seen: [String?] = []
        let clientContext = try TLSClientContext.test()
        try withReactor { reactor in
            let factory = TLSServerFactory(wrapping: Factory { Answering() }, context: context)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            func connect(_ made: @escaping (Recorder) -> Void) throws {
                let client = Recorder()
                client.whenMade = { client in
                    seen.append(client.transport.tls?.peerCertificate?.subject)
                    made(client)
                }
                try reactor.connectTCP(
                    host: "127.0.0.1", port: port.number,
                    factory: TLSClientFactory(wrapping: OneClient(client), context: clientContext, serverName: "localhost"))
            }
            try connect { old in
                try? put("new")
                try? context.reload()
                try? connect { new in
                    // The old one still talks.
                    old.whenData = { [unowned reactor] old in
                        #expect(old.text == "ping")
                        reactor.stop()
                    }
                    old.transport.write("ping")
                }
            }
        }
        #expect(seen == ["CN=old,O=Twill tests", "CN=new,O=Twill tests"])
        _ = try folder.write("server.key", "nothing")
        #expect(throws: TLSConfigurationError.self) { try context.reload() }
        let client = Recorder()
        client.whenMade = { client in
            seen.append(client.transport.tls?.peerCertificate?.subject)
            client.transport.loseConnection()
        }
        try TLSPair(client: client, serverContext: context)
        #expect(seen.last == "CN=new,O=Twill tests", "a reload that fails changes nothing")
    }

    @Test func whatIsKnownOfAConnectionCanBeLookedAt() throws {
        let client = Recorder()
        var seen = false
        client.whenMade = { client in
            let tls = try #require(client.transport.tls)
            let certificate = try #require(tls.peerCertificate)
            #expect(tls.cipher.hasPrefix("TLS_"))
            #expect(certificate.issuer == "CN=Twill test authority,O=Twill tests")
            #expect(certificate.hostNames == ["localhost", "example.test"])
            #expect(certificate.addresses == ["127.0.0.1"])
            #expect(certificate.validUntil.secondsSince1970 - certificate.validFrom.secondsSince1970 == 2 * 86400 + 3600)
            #expect(certificate.fingerprint == TLSFingerprint(of: certificate.der))
            #expect(TLSFingerprint("\(certificate.fingerprint)") == certificate.fingerprint)
            #expect(tls.serverName == "localhost")
            #expect(!tls.wasResumed)
            seen = true
            client.transport.loseConnection()
        }
        try TLSPair(client: client)
        #expect(seen)
    }

    @Test("a name that is none is not made into another one")
    func namesAreNotMadeUp() throws {
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.names = "DNS:exam ple.test,DNS:localhost" }
            .identity()
        let client = Recorder()
        var names: [String]?
        client.whenMade = { client in
            names = client.transport.tls?.peerCertificate?.hostNames
            client.transport.loseConnection()
        }
        try TLSPair(client: client, serverContext: TLSServerContext([identity]))
        #expect(names == ["localhost"])
    }

    @Test(arguments: [
        (0, "1970-01-01 00:00:00Z"), (951_782_400, "2000-02-29 00:00:00Z"), (-1, "1969-12-31 23:59:59Z"),
        (4_107_542_399, "2100-02-28 23:59:59Z"),
    ])
    func timesAreWrittenAsCalendarsHaveThem(_ seconds: Int, _ text: String) {
        #expect("\(TLSTime(secondsSince1970: seconds))" == text)
    }

    @Test func fingerprintsAreReadStrictly() {
        let digits = String(repeating: "aB", count: 32)
        #expect(TLSFingerprint(digits)?.bytes == [UInt8](repeating: 0xAB, count: 32))
        for text in ["", "aB", digits + "0", String(digits.dropLast()) + "g", digits + "AB"] { #expect(TLSFingerprint(text) == nil) }
    }
}

/// Says what it hears.
final class Answering: Twill::Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

/// Connects one recorder.
final class OneClient: ClientFactory {
    private var client: Recorder?

    init(_ client: Recorder) {
        self.client = client
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        defer { client = nil }
        return client
    }
}
