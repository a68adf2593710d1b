import TestCertificates

@testable import TwillTLS

extension TestCertificate {
    /// As a side shows it, with others that vouch for it.
    func identity(chain: [TestCertificate] = []) -> TLSIdentity {
        TLSIdentity(certificates: Array((certificate + chain.map(\.certificate).joined()).utf8), key: Array(key.utf8))
    }

    /// As one that is trusted.
    var roots: TLSRoots { .pem(Array(certificate.utf8)) }
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
