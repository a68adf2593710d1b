/// What a client asks of TLS, with defaults that are safe.
public struct TLSClientOptions: Sendable {
    /// Who vouches for servers; the authorities that the system trusts, unless set.
    public var roots = TLSRoots.system
    /// Certificates or keys of which the server must show one, besides being valid; none by default, which takes any.
    ///
    /// Give the ``TLSCertificate/keyFingerprint`` of the present certificate and of the next one, or a certificate's ``TLSCertificate/fingerprint``.
    public var pins: Set<TLSFingerprint> = []
    /// The application protocols that the client speaks, the best first (ALPN).
    public var applicationProtocols: [String] = []
    /// What the client shows a server that asks who it is.
    public var identity: TLSIdentity?
    /// The oldest version that is spoken; TLS 1.2 by default.
    public var minimumVersion = TLSVersion.tls12
    /// Whether sessions are taken up again, which spares both sides the better part of a handshake; true by default. The sessions of the last 256
    /// servers are kept, each for one connection.
    public var resumesSessions = true
    /// How long a handshake may take; 10 seconds by default.
    public var handshakeTimeout = Duration.seconds(10)
    /// Lists of revoked certificates in files of PEM. Where there are any, there has to be one of each authority that vouches for a server.
    public var revocationListFiles: [String] {
        get { revocationLists.compactMap { if case .file(let path) = $0 { path } else { nil } } }
        set { revocationLists = newValue.map { .file($0) } }
    }

    /// The newest version that is spoken; for tests.
    var maximumVersion: TLSVersion?
    var revocationLists: [TLSSource] = []
    private(set) var verifies = true

    /// The defaults: the server's certificate must be valid, vouched for by an authority that the system trusts, and name the host that was asked for.
    public init() {}

    /// Takes every certificate of every server: anybody on the way can read and change everything. For tests of your own alone.
    public mutating func turnVerificationOff() {
        verifies = false
    }
}

/// What the TLS connections of a client have in common: whom it trusts, who it is, what it speaks.
///
/// ```swift
/// let context = try TLSClientContext()
/// let factory = TLSClientFactory(wrapping: ClientFactory { Greeting() }, context: context, serverName: "example.com")
/// try reactor.connectTCP(host: "example.com", port: 443, factory: factory)
/// ```
///
/// # Contract
/// - Unless told otherwise it takes only servers whose certificate is valid, is vouched for by an authority that the system trusts, and names the host
///   that was asked for. The name of a certificate's subject is no name of a host, wildcards stand for one whole label, an address must be
///   among the certificate's addresses.
/// - It speaks TLS 1.2 and 1.3 with the ciphers of Mozilla's intermediate profile. There is no renegotiation and no compression.
/// - It never changes, and may be used by any number of factories, reactors and threads.
///
/// Twisted: `optionsForClientTLS`.
public final class TLSClientContext: Sendable {
    /// What it was made with.
    public let options: TLSClientOptions
    let context: OpenSSLContext

    /// Makes a context.
    ///
    /// - Throws: ``TLSConfigurationError``, with a sentence that says what is wrong with which file.
    public init(options: TLSClientOptions = TLSClientOptions()) throws(TLSConfigurationError) {
        self.options = options
        context = try .client(options)
    }
}
