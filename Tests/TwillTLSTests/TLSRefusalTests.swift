import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// T1 and T2: certificates that are refused, each for its own reason, and with nothing of the protocols' sent.
@Suite(.nothingLivesOn) struct TLSRefusalTests {
    /// A certificate of a server's, or how one is asked for, that a client must refuse.
    enum BadServer: CaseIterable, Sendable {
        case selfSigned, unknownAuthority, expired, notYetValid, wrongHost, wrongAddress, wildcardOverTwoLabels, nameInSubjectOnly
        case revoked, shortKey, weakSignature, missingIntermediate, expiredAuthority

        func identity(_ authority: TestCertificate) throws -> TLSIdentity {
            switch self {
            case .selfSigned: try TestCertificate().identity()
            case .unknownAuthority:
                try TestCertificate(signedBy: TestCertificate { ($0.commonName, $0.isAuthority) = ("nobody", true) }).identity()
            case .expired: try TestCertificate(signedBy: authority) { ($0.validFrom, $0.validUntil) = (-200_000, -100_000) }.identity()
            case .notYetValid: try TestCertificate(signedBy: authority) { ($0.validFrom, $0.validUntil) = (100_000, 200_000) }.identity()
            case .wrongHost: try TestCertificate(signedBy: authority) { $0.names = "DNS:elsewhere.test" }.identity()
            case .wrongAddress: try TestCertificate(signedBy: authority) { $0.names = "DNS:127.0.0.1,IP:127.0.0.2" }.identity()
            case .wildcardOverTwoLabels: try TestCertificate(signedBy: authority) { $0.names = "DNS:*.example.test" }.identity()
            case .nameInSubjectOnly: try TestCertificate(signedBy: authority) { ($0.commonName, $0.names) = ("localhost", nil) }.identity()
            case .revoked, .shortKey, .weakSignature, .expiredAuthority: try made(authority).identity()
            case .missingIntermediate: try TestCertificate(signedBy: Self.intermediate.get()).identity()
            }
        }

        private func made(_ authority: TestCertificate) throws -> TestCertificate {
            switch self {
            case .shortKey: try TestCertificate(signedBy: authority) { $0.rsaBits = 1024 }
            case .weakSignature: try TestCertificate(signedBy: authority) { $0.usesSHA1 = true }
            case .expiredAuthority: try TestCertificate(signedBy: Self.oldAuthority.get())
            default: try TestCertificate.server.get()
            }
        }

        static let intermediate = Result {
            try TestCertificate(signedBy: TestCertificate.authority.get()) {
                ($0.commonName, $0.isAuthority, $0.names) = ("between", true, nil)
            }
        }
        static let oldAuthority = Result {
            try TestCertificate {
                ($0.commonName, $0.isAuthority, $0.names, $0.validFrom, $0.validUntil) = ("old", true, nil, -200_000, -100_000)
            }
        }

        var serverName: String {
            switch self {
            case .wrongAddress: "127.0.0.1"
            case .wildcardOverTwoLabels: "a.b.example.test"
            default: "localhost"
            }
        }

        var error: TLSError {
            switch self {
            case .selfSigned: .selfSigned
            case .unknownAuthority, .missingIntermediate: .unknownAuthority
            case .expired, .expiredAuthority: .certificateExpired
            case .notYetValid: .certificateNotYetValid
            case .wrongHost, .wrongAddress, .wildcardOverTwoLabels, .nameInSubjectOnly: .wrongHost
            case .revoked: .certificateRevoked
            case .shortKey, .weakSignature: .weakCertificate
            }
        }
    }

    @Test(
        "T1: a client refuses a bad certificate with a reason of its own",
        arguments: BadServer.allCases.filter { $0 != .shortKey && $0 != .weakSignature })
    func aBadServerIsRefused(_ bad: BadServer) throws {
        let authority = try TestCertificate.authority.get()
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { $0.transport.write("secret") }
        client.whenMade = { $0.transport.write("secret") }
        let folder = try TemporaryFolder()
        let oldRoots = try BadServer.oldAuthority.get().roots
        let list = try folder.write("revoked.pem", authority.revoking(bad == .revoked ? TestCertificate.server.get() : nil))
        let pair = try TLSPair(
            server: server, client: client, serverContext: TLSServerContext([bad.identity(authority)]),
            clientContext: .test { options in
                if bad == .expiredAuthority { options.roots = oldRoots }
                if bad == .revoked { options.revocationListFiles = [list] }
            }, serverName: bad.serverName)
        #expect(pair.clientError == bad.error, "\(String(describing: pair.failure))")
        #expect(server.events == [])
        #expect(client.events == [])
        // TLS tells the other side why.
        #expect(pair.serverError == .alert, "\(String(describing: pair.serverError))")
        #expect(pair.log.entries.count == 1, "\(pair.log.entries)")
        #expect(pair.log.entries.first?.contains("the peer refused this side") == true)
    }

    @Test("T1: a certificate that is too weak is not even shown", arguments: [BadServer.shortKey, .weakSignature])
    func aWeakCertificateIsNotShown(_ bad: BadServer) throws {
        let identity = try bad.identity(TestCertificate.authority.get())
        #expect { try TLSServerContext([identity]) } throws: {
            "\($0)".contains("refuses the certificate") && ("\($0)".contains("too small") || "\($0)".contains("too weak"))
        }
    }

    @Test("T1: what is said names the certificate, the time, and the names that it is for")
    func theSentencesSayWhatIsWrong() throws {
        let authority = try TestCertificate.authority.get()
        let other = try TLSPair(serverContext: TLSServerContext([BadServer.wrongHost.identity(authority)]))
        #expect(
            other.clientError?.message
                == "the certificate of \"CN=twill test,O=Twill tests\" is for another host: it names elsewhere.test")
        let nameless = try TLSPair(serverContext: TLSServerContext([BadServer.nameInSubjectOnly.identity(authority)]))
        #expect(
            nameless.clientError?.message
                == "the certificate of \"CN=localhost,O=Twill tests\" names no host: it has no subjectAltName, and its common name does not count")
        let old = try TLSPair(serverContext: TLSServerContext([BadServer.expired.identity(authority)]))
        #expect(old.clientError?.message.contains("has expired: it was valid until 20") == true)
        #expect(old.clientError?.message.hasSuffix("Z") == true)
        #expect("\(try #require(old.failure))".hasPrefix("Couldn't connect to 127.0.0.1:"))
    }

    @Test(
        "T1: names that match are taken",
        arguments: [
            ("DNS:*.example.test", "a.example.test"), ("DNS:EXAMPLE.test", "Example.Test"), ("DNS:localhost", "localhost."),
            ("IP:127.0.0.1", "127.0.0.1"),
            ("IP:0:0:0:0:0:0:0:1", "::1"), ("IP:0:0:0:0:0:0:0:1", "[::1]"),
        ])
    func namesThatMatchAreTaken(_ names: String, _ serverName: String) throws {
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.names = names }.identity()
        let client = Recorder()
        client.whenMade = { $0.transport.loseConnection() }
        let pair = try TLSPair(client: client, serverContext: TLSServerContext([identity]), serverName: serverName)
        #expect(client.reason == .done, "\(String(describing: pair.failure))")
    }

    @Test(
        "T1: a name that is none is refused, and never taken for one that need not be checked",
        arguments: ["", ".", "[]", ".test", "localhost\u{0}.elsewhere.test"])
    func aNameThatIsNoneIsRefused(_ serverName: String) throws {
        let client = Recorder()
        client.whenMade = { $0.transport.loseConnection() }
        let pair = try TLSPair(client: client, serverName: serverName)
        #expect(pair.clientError == .wrongHost, "\(String(describing: pair.failure)), \(client.events)")
        #expect(client.events == [])
    }

    @Test("T1: the scope of an address is this machine's business, the address must be among the certificate's")
    func theScopeOfAnAddressIsNotCompared() throws {
        let wrong = Recorder()
        wrong.whenMade = { $0.transport.loseConnection() }
        let pair = try TLSPair(client: wrong, serverName: "fe80::1%1")
        #expect(pair.clientError == .wrongHost, "\(String(describing: pair.failure)), \(wrong.events)")
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.names = "IP:fe80::1" }.identity()
        let right = Recorder()
        right.whenMade = { $0.transport.loseConnection() }
        let good = try TLSPair(client: right, serverContext: TLSServerContext([identity]), serverName: "fe80::1%1")
        #expect(right.reason == .done, "\(String(describing: good.failure))")
    }

    @Test("T1: an authority that was revoked vouches for nobody", arguments: [false, true])
    func aRevokedAuthorityVouchesForNobody(_ isRevoked: Bool) throws {
        let (authority, between) = (try TestCertificate.authority.get(), try BadServer.intermediate.get())
        let folder = try TemporaryFolder()
        let lists = [
            try folder.write("root.pem", authority.revoking(isRevoked ? between : nil)),
            try folder.write("between.pem", between.revoking(nil)),
        ]
        let identity = try TestCertificate(signedBy: between).identity(chain: [between])
        let client = Recorder()
        client.whenMade = { $0.transport.loseConnection() }
        let pair = try TLSPair(
            client: client, serverContext: TLSServerContext([identity]), clientContext: .test { $0.revocationListFiles = lists })
        #expect(pair.clientError == (isRevoked ? .certificateRevoked : nil), "\(String(describing: pair.failure))")
        // Whom a client trusts by name, whoever has signed it, needs no list of that one's.
        let trusting = Recorder()
        trusting.whenMade = { $0.transport.loseConnection() }
        try TLSPair(
            client: trusting, serverContext: TLSServerContext([identity]),
            clientContext: .test {
                $0.roots = between.roots
                $0.revocationListFiles = [lists[1]]
            })
        #expect(trusting.reason == .done)
    }

    @Test func aChainIsFollowedToItsAuthority() throws {
        let between = try BadServer.intermediate.get()
        let identity = try TestCertificate(signedBy: between).identity(chain: [between])
        let client = Recorder()
        var chain: [String] = []
        client.whenMade = { client in
            chain = client.transport.tls?.peerCertificates.map(\.subject) ?? []
            client.transport.loseConnection()
        }
        try TLSPair(client: client, serverContext: TLSServerContext([identity]))
        #expect(chain == ["CN=twill test,O=Twill tests", "CN=between,O=Twill tests"])
    }

    @Test func verificationCanBeTurnedOff() throws {
        let client = Recorder()
        client.whenMade = { $0.transport.loseConnection() }
        try TLSPair(
            client: client, serverContext: TLSServerContext([TestCertificate().identity()]),
            clientContext: .test { $0.turnVerificationOff() },
            serverName: "anybody.test")
        #expect(client.reason == .done)
    }

    @Test func theSystemsAuthoritiesDoNotVouchForATestsCertificate() throws {
        let pair = try TLSPair(clientContext: TLSClientContext())
        #expect(pair.clientError == .unknownAuthority)
    }

    @Test func aPinnedKeyIsTakenAndAnotherOneIsRefused() throws {
        let certificate = try TestCertificate.server.get()
        var seen: TLSCertificate?
        let first = Recorder()
        first.whenMade = { client in
            seen = client.transport.tls?.peerCertificate
            client.transport.loseConnection()
        }
        try TLSPair(client: first)
        let fingerprints = try #require(seen)
        for pin in [fingerprints.keyFingerprint, fingerprints.fingerprint] {
            let client = Recorder()
            client.whenMade = { $0.transport.loseConnection() }
            try TLSPair(client: client, clientContext: .test { $0.pins = [pin] })
            #expect(client.reason == .done)
        }
        let client = Recorder()
        client.whenMade = { $0.transport.write("secret") }
        let pair = try TLSPair(client: client, clientContext: .test { $0.pins = [TLSFingerprint(of: Array(certificate.key.utf8))] })
        #expect(pair.clientError == .pinMismatch)
        #expect(client.events == [])
    }

    // Clients' certificates.

    private func clientIdentity(_ change: @escaping (inout TestCertificate.Wanted) -> Void = { _ in }) throws -> TLSIdentity {
        try TestCertificate(signedBy: TestCertificate.authority.get()) {
            ($0.commonName, $0.names) = ("a client", nil)
            change(&$0)
        }.identity()
    }

    @Test("T2: a client with a certificate is let in, and known", arguments: [TLSVersion.tls12, .tls13])
    func aClientWithACertificateIsKnown(_ version: TLSVersion) throws {
        let (server, client) = (Recorder(), Recorder())
        var subject: String?
        server.whenMade = { server in
            subject = server.transport.tls?.peerCertificate?.subject
            server.transport.loseConnection()
        }
        let identity = try clientIdentity()
        let roots = try TestCertificate.authority.get().roots
        try TLSPair(
            server: server, client: client, serverContext: .test { $0.clientCertificates = .required(roots) },
            clientContext: .testLimited(to: version) { $0.identity = identity })
        #expect(subject == "CN=a client,O=Twill tests")
    }

    enum BadClient: CaseIterable, Sendable { case none, unknownAuthority, expired }

    @Test("T2: a client without a good certificate is refused", arguments: BadClient.allCases, [TLSVersion.tls12, .tls13])
    func aBadClientIsRefused(_ bad: BadClient, _ version: TLSVersion) throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { $0.transport.write("secret") }
        let roots = try TestCertificate.authority.get().roots
        let identity: TLSIdentity? =
            switch bad {
            case .none: nil
            case .unknownAuthority: try TestCertificate().identity()
            case .expired: try clientIdentity { ($0.validFrom, $0.validUntil) = (-200_000, -100_000) }
            }
        let pair = try TLSPair(
            server: server, client: client, serverContext: .test { $0.clientCertificates = .required(roots) },
            clientContext: .testLimited(to: version) { $0.identity = identity })
        let wanted: TLSError =
            switch bad {
            case .none: .noCertificate
            case .unknownAuthority: .selfSigned
            case .expired: .certificateExpired
            }
        #expect(pair.serverError == wanted, "\(String(describing: pair.serverError))")
        #expect(server.events == [])
        if version == .tls13 {
            // The client's part of the handshake is over before the server has looked at its certificate.
            #expect(client.events.first == .made)
            #expect(client.reason?.underlying as? TLSError == .alert, "\(client.events)")
        } else {
            #expect(pair.clientError == .alert)
            #expect(client.events == [])
        }
        #expect(client.received == [])
    }

    @Test("T2: where a certificate is optional, a client without one is let in")
    func anOptionalCertificateMayBeMissing() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { server in
            #expect(server.transport.tls?.peerCertificate == nil)
            server.transport.loseConnection()
        }
        let roots = try TestCertificate.authority.get().roots
        try TLSPair(server: server, client: client, serverContext: .test { $0.clientCertificates = .optional(roots) })
        #expect(server.reason == .done)
    }
}
