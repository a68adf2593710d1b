import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// T11: what is wrong with files and keys is said when the context is made, not when the first client comes.
@Suite(.nothingLivesOn) struct TLSConfigurationTests {
    private func message(_ make: () throws -> Void) -> String {
        do {
            try make()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("T11: a file that is not there, or that nobody may read, is named")
    func unreadableFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        let missing = "\(folder.path)/missing.pem"
        #expect(
            message { _ = try TLSServerContext(certificateFile: missing) }
                == "\(missing) can't be read: no such file or directory; check the path and who may read it")
        let certificate = try folder.write("server.pem", TestCertificate.server.get().certificate)
        #expect(
            message { _ = try TLSServerContext(certificateFile: certificate, keyFile: folder.path) }.hasPrefix(
                "\(folder.path) can't be read: "))
        #expect(message { _ = try TLSClientContext.test { $0.roots = .file(missing) } }.hasPrefix("\(missing) can't be read"))
    }

    @Test("T11: a key that is not the certificate's is refused")
    func aKeyOfAnotherCertificateIsRefused() throws {
        let folder = try TemporaryFolder()
        let certificate = try folder.write("server.pem", TestCertificate.server.get().certificate)
        for other in [try TestCertificate(), try TestCertificate { $0.rsaBits = 2048 }] {
            let key = try folder.write("other.key", other.key)
            #expect(
                message { _ = try TLSServerContext(certificateFile: certificate, keyFile: key) }
                    == "the key of \(key) is not that of the certificate of \(certificate)")
        }
    }

    @Test func textsWithoutACertificateOrAKeyAreRefused() throws {
        let good = try TestCertificate.server.get()
        let folder = try TemporaryFolder()
        let (certificate, nothing) = (try folder.write("server.pem", good.certificate), try folder.write("nothing.pem", "nothing\n"))
        #expect(
            message { _ = try TLSServerContext(certificateFile: nothing) }
                == "\(nothing) has no certificate in it, or a broken one: it must be PEM, with BEGIN CERTIFICATE")
        #expect(
            message { _ = try TLSServerContext(certificateFile: certificate, keyFile: nothing) }.hasPrefix("\(nothing) has no key in it"))
        #expect(message { _ = try TLSServerContext(certificateFile: certificate) }.hasPrefix("\(certificate) has no key in it"))
        #expect(message { _ = try TLSServerContext([]) }.hasPrefix("a server without a certificate"))
        #expect(message { _ = try TLSClientContext.test { $0.roots = .file(nothing) } }.hasPrefix("\(nothing) has no certificate in it"))
        #expect(
            message { _ = try TLSClientContext.test { $0.revocationListFiles = [nothing] } }.hasPrefix("\(nothing) has no list of revoked"))
        #expect(message { _ = try TLSServerContext.test { $0.applicationProtocols = [""] } }.hasPrefix("\"\" is no application protocol"))
    }

    @Test func aKeyWithAPasswordNeedsIt() throws {
        let folder = try TemporaryFolder()
        let made = try TestCertificate { $0.password = "open sesame" }
        let file = try folder.write("both.pem", made.certificate + made.key)
        _ = try TLSServerContext([TLSIdentity(certificateFile: file, password: "open sesame")])
        for password in [nil, "", "wrong"] {
            #expect(
                message { _ = try TLSServerContext([TLSIdentity(certificateFile: file, password: password)]) }
                    .hasSuffix("and the right password where it has one"))
        }
    }

    @Test func keysOfRSAAreAsGood() throws {
        let identity = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.rsaBits = 2048 }.identity()
        for version in [TLSVersion.tls12, .tls13] {
            let client = Recorder()
            client.whenMade = { $0.transport.loseConnection() }
            try TLSPair(client: client, serverContext: .test(identity), clientContext: .testLimited(to: version))
            #expect(client.reason == .done)
        }
    }

    @Test("a text that is broken behind its first certificate is no good one")
    func aTextThatIsBrokenInTheMiddleIsRefused() throws {
        let (authority, server) = (try TestCertificate.authority.get(), try TestCertificate.server.get())
        let broken = authority.certificate.replacing("-----END", with: "?\n-----END")
        #expect(throws: TLSConfigurationError.self) {
            try TLSServerContext([
                TLSIdentity(certificates: Array((server.certificate + broken).utf8), key: Array(server.key.utf8))
            ])
        }
        var options = TLSClientOptions()
        options.roots = .pem(Array((server.certificate + broken).utf8))
        #expect(throws: TLSConfigurationError.self) { try TLSClientContext(options: options) }
    }

    @Test("a weak certificate in the chain is refused as a weak one of the server's own is")
    func aWeakCertificateInTheChainIsRefused() throws {
        let weak = try TestCertificate { ($0.isAuthority, $0.rsaBits) = (true, 1024) }
        let server = try TestCertificate.server.get()
        #expect(throws: TLSConfigurationError.self) { try TLSServerContext([server.identity(chain: [weak])]) }
    }
}
