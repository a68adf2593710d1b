import CCertificates
import Foundation

/// A certificate and its key in PEM, made for a test.
package struct TestCertificate: Sendable {
    package let certificate: String
    package let key: String

    /// What was given up on.
    package struct Failure: Error {}

    /// What a certificate is to be like.
    package struct Wanted {
        package var commonName = "twill test"
        /// As OpenSSL's configuration writes them.
        package var names: String? = "DNS:localhost,DNS:example.test,IP:127.0.0.1"
        package var validFrom = -3600
        package var validUntil = 2 * 86400
        package var isAuthority = false
        /// 0 for an elliptic curve's.
        package var rsaBits = 0
        package var usesSHA1 = false
        package var password: String?
    }

    /// Makes one, signed by another one or by itself.
    package init(signedBy issuer: TestCertificate? = nil, _ change: (inout Wanted) -> Void = { _ in }) throws {
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
    package func revoking(_ revoked: TestCertificate?) throws -> String {
        guard let list = unsafe test_certificate_revoke(revoked?.certificate, certificate, key) else { throw Failure() }
        defer { unsafe free(list) }
        return unsafe String(cString: list)
    }

    /// What is made once for all tests: an authority, and a server's certificate for localhost, example.test and 127.0.0.1.
    package static let authority = Result {
        try TestCertificate { ($0.commonName, $0.isAuthority, $0.names) = ("Twill test authority", true, nil) }
    }
    package static let server = Result { try TestCertificate(signedBy: authority.get()) { $0.commonName = "localhost" } }
}
