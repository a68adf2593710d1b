/// Where something in PEM comes from: a file, or bytes.
enum TLSSource: Sendable, Hashable, CustomStringConvertible {
    case file(String)
    case bytes([UInt8])

    var description: String {
        switch self {
        case .file(let path): path
        case .bytes: "what was given"
        }
    }

    func bytes() throws(TLSConfigurationError) -> [UInt8] {
        switch self {
        case .file(let path): try PEM.file(path)
        case .bytes(let bytes): bytes
        }
    }
}

/// Who a side is: its certificate, those that vouch for it, and its key, in PEM.
///
/// The certificate is the first one; those behind it lead to the authority, which itself can be left out. Nothing is read before a context is
/// made of it, or reloaded.
///
/// Twisted: `PrivateCertificate`, `CertificateOptions(privateKey:certificate:extraCertChain:)`.
public struct TLSIdentity: Sendable, Hashable {
    let certificates: TLSSource
    let key: TLSSource
    let password: String?

    /// An identity in files, which may be one and the same.
    ///
    /// - Parameters:
    ///   - certificateFile: the certificate and its chain.
    ///   - keyFile: the private key; the certificates' file if nil.
    ///   - password: what the key is encrypted with.
    public init(certificateFile: String, keyFile: String? = nil, password: String? = nil) {
        certificates = .file(certificateFile)
        key = .file(keyFile ?? certificateFile)
        self.password = password
    }

    /// An identity in memory.
    ///
    /// - Parameters:
    ///   - certificates: the certificate and its chain, in PEM.
    ///   - key: the private key, in PEM.
    ///   - password: what the key is encrypted with.
    public init(certificates: [UInt8], key: [UInt8], password: String? = nil) {
        self.certificates = .bytes(certificates)
        self.key = .bytes(key)
        self.password = password
    }
}

/// Whom a side trusts to vouch for others.
///
/// Twisted: `trustRootFromCertificates`, `platformTrust`.
public struct TLSRoots: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case system
        case pem(TLSSource)
    }

    let kind: Kind

    /// The authorities that the system trusts. Where OpenSSL looks for them is the system's business; the environment's `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` can say otherwise.
    public static let system = TLSRoots(kind: .system)

    /// The certificates in a file of PEM, and no others.
    public static func file(_ path: String) -> TLSRoots { TLSRoots(kind: .pem(.file(path))) }

    /// Certificates in PEM, and no others.
    public static func pem(_ bytes: [UInt8]) -> TLSRoots { TLSRoots(kind: .pem(.bytes(bytes))) }
}

/// A version of TLS. Those before 1.2 are broken, and are not spoken.
public struct TLSVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    let number: CInt

    init(number: CInt) {
        self.number = number
    }

    /// TLS 1.2.
    public static let tls12 = TLSVersion(number: 0x0303)
    /// TLS 1.3.
    public static let tls13 = TLSVersion(number: 0x0304)

    public static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.number < right.number }

    public var description: String { "TLS 1.\(number - 0x0301)" }
}
