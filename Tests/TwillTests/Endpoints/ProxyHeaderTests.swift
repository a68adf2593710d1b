import TestSupport
import Testing

@testable import Twill

@Suite("What a PROXY header says", .nothingLivesOn) struct ProxyHeaderTests {
    private func header(_ tlvs: [[UInt8]]) throws -> ProxyHeader {
        let outcome = proxyOutcome(of: BinaryHeader(tlvs: Array(tlvs.joined())).encoded)
        guard case .header(let header, _) = outcome else { throw Refused(outcome: outcome) }
        return header
    }

    private struct Refused: Error { let outcome: ProxyOutcome }

    @Test func theTLVsAreThereInTheirOrderWhetherKnownOrNot() throws {
        let header = try header([
            BinaryHeader.tlv(0xEA, "vpce"), BinaryHeader.tlv(0x01, "h2"), BinaryHeader.tlv(0x04, "\0\0\0"), BinaryHeader.tlv(0xEA, ""),
        ])
        #expect(
            header.tlvs == [
                ProxyHeader.TLV(type: 0xEA, value: bytes("vpce")), ProxyHeader.TLV(type: 1, value: bytes("h2")),
                ProxyHeader.TLV(type: 4, value: [0, 0, 0]), ProxyHeader.TLV(type: 0xEA, value: []),
            ])
    }

    @Test func theKnownOnesHaveNames() throws {
        let header = try header([
            BinaryHeader.tlv(0x01, "http/1.1"), BinaryHeader.tlv(0x02, "shop.example"), BinaryHeader.tlv(0x05, "c-1"),
            BinaryHeader.tlv(0x30, "blue"),
        ])
        #expect(header.alpn == "http/1.1")
        #expect(header.authority == "shop.example")
        #expect(header.uniqueID == bytes("c-1"))
        #expect(header.uniqueIDText == "c-1")
        #expect(header.networkNamespace == "blue")
        #expect(header.checksum == nil)
        #expect(header.ssl == nil)
    }

    @Test func aHeaderWithoutThemHasNone() throws {
        let header = try header([])
        #expect(header.tlvs.isEmpty)
        #expect(header.alpn == nil && header.authority == nil && header.uniqueID == nil && header.uniqueIDText == nil)
        #expect(header.networkNamespace == nil && header.checksum == nil && header.ssl == nil)
    }

    @Test func textThatIsNoneIsOnlyThereAsBytes() throws {
        let header = try header([BinaryHeader.tlv(0x02, [0xC3, 0x28]), BinaryHeader.tlv(0x05, [0xFF, 0x0A, 0x41])])
        #expect(header.authority == nil)
        #expect(header.tlvs.count == 2)
        #expect(header.uniqueID == [0xFF, 0x0A, 0x41])
        #expect(header.uniqueIDText == "\\u{FFFD}\\nA")
    }

    // I5: a line of the log stays one line.
    @Test func itsDescriptionIsPrintableWhateverThePeerHasSent() throws {
        let noisy = try header([BinaryHeader.tlv(0x05, "a\r\n\u{1b}[2Jb\"")])
        #expect("\(noisy)" == #"PROXY v2 stream 192.0.2.7:56324 -> 10.0.0.1:443 id "a\r\n\u{1B}[2Jb\"""#)
        let path = BinaryHeader(family: 0x31, addresses: BinaryHeader.unix("/tmp/a\nb", "\0name")).encoded
        #expect("\(proxyOutcome(of: path))" == #"PROXY v2 stream /tmp/a\nb -> \0name of 232 bytes"#)
    }

    @Test func theChecksumIsTheOneThatWasSent() throws {
        #expect(GoldenVector.header("v2 over IPv4 with a checksum and a unique id")?.checksum == 0x6C3E_4879)
        // Where it stands makes no difference.
        let outcome = proxyOutcome(of: BinaryHeader(tlvs: BinaryHeader.tlv(0x05, "id")).encodedWithChecksum)
        guard case .header(let header, _) = outcome else { throw Refused(outcome: outcome) }
        #expect(header.checksum != nil)
    }

    // SSL.

    @Test func whatHAProxySaysOfTLSIsRead() throws {
        let ssl = try #require(GoldenVector.header("v2 with a verified client certificate")?.ssl)
        #expect(ssl.client == [.ssl, .certificateOnConnection, .certificateInSession])
        #expect(ssl.verify == 0)
        #expect(ssl.version == "TLSv1.3")
        #expect(ssl.commonName == "client one")
        #expect(ssl.cipher == "TLS_AES_256_GCM_SHA384")
        #expect(ssl.signatureAlgorithm == "RSA-SHA256")
        #expect(ssl.keyAlgorithm == "RSA2048")
        #expect(ssl.tlvs.map(\.type) == [0x21, 0x22, 0x25, 0x24, 0x23])
        #expect(ssl.isVerified)
        #expect(ssl.identity == "client one")
    }

    @Test func aCertificateThatNobodyVouchesForIsNoIdentity() throws {
        let ssl = try #require(GoldenVector.header("v2 with a certificate that nobody vouches for")?.ssl)
        #expect(ssl.verify == 0x12)
        #expect(ssl.commonName == "mallory")
        #expect(!ssl.isVerified)
        #expect(ssl.identity == nil)
    }

    @Test func noCertificateIsNoIdentityAlthoughNothingFailed() throws {
        let ssl = try #require(GoldenVector.header("v2 with TLS and no client certificate")?.ssl)
        #expect(ssl.verify == 0)
        #expect(ssl.client == .ssl)
        #expect(!ssl.isVerified)
        #expect(ssl.identity == nil)
    }

    @Test(arguments: UInt8(0)...7, [UInt32(0), 1, 0x0100_0000])
    func anIdentityNeedsTLSACertificateAndItsVerification(client: UInt8, verify: UInt32) throws {
        let header = try header([BinaryHeader.ssl(client: client, verify: verify, [BinaryHeader.tlv(0x22, "somebody")])])
        let ssl = try #require(header.ssl)
        let isVerified = verify == 0 && client & 1 != 0 && client & 6 != 0
        #expect(ssl.isVerified == isVerified)
        #expect(ssl.identity == (isVerified ? "somebody" : nil))
        #expect(ssl.commonName == "somebody")
    }

    @Test func aVerifiedClientWithoutANameHasNoIdentity() throws {
        for name in [[], BinaryHeader.tlv(0x22, ""), BinaryHeader.tlv(0x22, [0xFF])] {
            let ssl = try #require(try header([BinaryHeader.ssl(client: 7, verify: 0, [name])]).ssl)
            #expect(ssl.isVerified)
            #expect(ssl.identity == nil)
        }
    }

    @Test func aNameOutsideOfTheSSLValueIsNoIdentity() throws {
        let header = try header([BinaryHeader.ssl(client: 7, verify: 0, []), BinaryHeader.tlv(0x22, "somebody")])
        #expect(header.ssl?.identity == nil)
    }

    // Errors.

    @Test(arguments: ProxyHeaderParserTests.badLines.map(\.line).map(bytes) + ProxyHeaderParserTests.badHeaders.map(\.header))
    func everyErrorIsASentenceWithAPlaceAndNothingOfThePeers(stream: [UInt8]) throws {
        guard case .refused(let error) = proxyOutcome(of: stream) else {
            Issue.record("it was not refused")
            return
        }
        let sentence = "\(error)"
        #expect(sentence.hasPrefix("the ") && sentence.hasSuffix(", at byte \(error.offset)"))
        #expect(sentence.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    }

    // The check value that every description of the algorithm gives, and the golden vector's.
    @Test func theChecksumIsCastagnolis() {
        #expect(CRC32C.checksum(of: bytes("123456789"), zeroing: 0..<0) == 0xE306_9283)
        #expect(bitwiseCRC32C(bytes("123456789")) == 0xE306_9283)
        #expect(CRC32C.checksum(of: bytes("12xy6789"), zeroing: 2..<4) == bitwiseCRC32C(bytes("12\0\06789")))
        #expect(CRC32C.checksum(of: [], zeroing: 0..<0) == 0)
    }
}
