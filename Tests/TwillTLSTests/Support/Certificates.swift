import CCertificates
import Foundation

@testable import TwillTLS

/// A certificate and its key, made for a test.
struct TestCertificate: Sendable {
    let certificate: String
    let key: String

    /// What was given up on.
    struct Failure: Error {}

    /// What a certificate is to be like.
    struct Wanted {
        var commonName = "twill test"
        /// As OpenSSL's configuration writes them.
        var names: String? = "DNS:localhost,DNS:example.test,IP:127.0.0.1"
        var validFrom = -3600
        var validUntil = 2 * 86400
        var isAuthority = false
        /// 0 for an elliptic curve's.
        var rsaBits = 0
        var usesSHA1 = false
        var password: String?
    }

    /// Makes one, signed by another one or by itself.
    init(signedBy issuer: TestCertificate? = nil, _ change: (inout Wanted) -> Void = { _ in }) throws {
        var wanted = Wanted()
        change(&wanted)
        var request = unsafe test_certificate()
        unsafe request.common_name = Self.copy(wanted.commonName)
        unsafe request.names = Self.copy(wanted.names)
        unsafe request.issuer_certificate = Self.copy(issuer?.certificate)
        unsafe request.issuer_key = Self.copy(issuer?.key)
        unsafe request.password = Self.copy(wanted.password)
        defer {
            unsafe [request.common_name, request.names, request.issuer_certificate, request.issuer_key, request.password].forEach {
                unsafe free(UnsafeMutablePointer(mutating: $0))
            }
        }
        unsafe request.valid_from = wanted.validFrom
        unsafe request.valid_until = wanted.validUntil
        unsafe request.is_authority = wanted.isAuthority ? 1 : 0
        unsafe request.rsa_bits = CInt(wanted.rsaBits)
        unsafe request.uses_sha1 = wanted.usesSHA1 ? 1 : 0
        var made: UnsafeMutablePointer<CChar>?
        var madeKey: UnsafeMutablePointer<CChar>?
        guard unsafe test_certificate_make(&request, &made, &madeKey) == 1, let made = unsafe made, let madeKey = unsafe madeKey else {
            throw Failure()
        }
        defer {
            unsafe free(made)
            unsafe free(madeKey)
        }
        certificate = unsafe String(cString: made)
        key = unsafe String(cString: madeKey)
    }

    private static func copy(_ text: String?) -> UnsafePointer<CChar>? {
        guard let text, let copy = unsafe strdup(text) else { return nil }
        return unsafe UnsafePointer(copy)
    }

    /// A list of revoked certificates of this authority's, with one in it or none.
    func revoking(_ revoked: TestCertificate?) throws -> String {
        guard let list = unsafe test_certificate_revoke(revoked?.certificate, certificate, key) else { throw Failure() }
        defer { unsafe free(list) }
        return unsafe String(cString: list)
    }

    /// As a side shows it, with others that vouch for it.
    func identity(chain: [TestCertificate] = []) -> TLSIdentity {
        TLSIdentity(certificates: Array((certificate + chain.map(\.certificate).joined()).utf8), key: Array(key.utf8))
    }

    /// As one that is trusted.
    var roots: TLSRoots { .pem(Array(certificate.utf8)) }

    /// What is made once for all tests: an authority, and a server's certificate for localhost, example.test and 127.0.0.1.
    static let authority = Result {
        try TestCertificate { ($0.commonName, $0.isAuthority, $0.names) = ("Twill test authority", true, nil) }
    }
    static let server = Result { try TestCertificate(signedBy: authority.get()) { $0.commonName = "localhost" } }
}

extension TLSServerContext {
    /// A server with a certificate of the test authority's.
    static func test(_ identity: TLSIdentity? = nil, _ change: (inout TLSServerOptions) -> Void = { _ in }) throws -> TLSServerContext {
        var options = TLSServerOptions()
        change(&options)
        return try TLSServerContext([try identity ?? TestCertificate.server.get().identity()], options: options)
    }
}

extension TLSClientContext {
    /// A client that trusts the test authority.
    static func test(_ change: (inout TLSClientOptions) -> Void = { _ in }) throws -> TLSClientContext {
        var options = TLSClientOptions()
        options.roots = try TestCertificate.authority.get().roots
        change(&options)
        return try TLSClientContext(options: options)
    }
}

extension TLSClientContext {
    /// A client that trusts the test authority, and speaks this version and none that is newer.
    static func testLimited(to version: TLSVersion, _ change: (inout TLSClientOptions) -> Void = { _ in }) throws -> TLSClientContext {
        try test {
            $0.maximumVersion = version
            change(&$0)
        }
    }
}

/// A folder of a test's, removed with this object.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "twill-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file, and tells its path.
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
