import Synchronization

/// What a server asks of TLS, with defaults that need no change.
public struct TLSServerOptions: Sendable {
    /// Whether clients have to show a certificate.
    public enum ClientCertificates: Sendable {
        /// They are not asked for one.
        case none
        /// They are asked for one, and may have none; one that these do not vouch for is refused.
        case optional(TLSRoots)
        /// They have to show one that these vouch for.
        case required(TLSRoots)
    }

    /// The application protocols that the server speaks, the best first (ALPN); `["h2", "http/1.1"]`. A client that has a list of its own with none
    /// of them in it is refused. None are by default, and then nothing is agreed on.
    public var applicationProtocols: [String] = []
    /// Whether clients have to show a certificate; ``ClientCertificates/none`` by default.
    public var clientCertificates = ClientCertificates.none
    /// The oldest version that is spoken; TLS 1.2 by default.
    public var minimumVersion = TLSVersion.tls12
    /// Whether clients get a ticket, which spares them and the server the better part of the next handshake; true by default. Each connection
    /// gets one, resumed ones among them. The keys of the tickets live as long as the context, and are forgotten when it is reloaded.
    public var wantsSessionTickets = true
    /// Whether a client that asks for the name of a host that no certificate is for is refused, rather than shown the first certificate.
    public var refusesUnknownNames = false
    /// How long a handshake may take; 10 seconds by default.
    public var handshakeTimeout = Duration.seconds(10)
    /// How many handshakes may be under way at once, on each port; more connections wait, with nothing read of them. 1024 by default.
    public var handshakesMax = 1024

    /// The defaults.
    public init() {}
}

/// What the TLS connections of a server have in common: its certificates and keys, whom it trusts, what it speaks.
///
/// ```swift
/// let context = try TLSServerContext(certificateFile: "server.pem", keyFile: "server.key")
/// try reactor.listenTCP(port: 443, factory: TLSServerFactory(wrapping: Factory { Echo() }, context: context))
/// ```
///
/// # Contract
/// - Everything is read and checked here, before a port is open: files, keys, and whether each key fits its certificate.
/// - With several certificates, a client that asks for a host by name gets the first that names it, one that names it exactly before one with a
///   wildcard. One that asks for nobody, or for a host that none is for, gets the first of all.
/// - It speaks TLS 1.2 and 1.3 with the ciphers of Mozilla's intermediate profile. There is no renegotiation and no compression.
/// - It may be used by any number of factories, reactors and threads. ``reload()`` changes what new connections get; those that are there keep what
///   they have.
///
/// Twisted: `CertificateOptions`.
public final class TLSServerContext: Sendable {
    /// What it was made with.
    public let options: TLSServerOptions

    private struct State: Sendable {
        var identities: [TLSIdentity]
        var context: OpenSSLContext
    }

    private let state: Mutex<State>

    /// Makes a context.
    ///
    /// - Parameters:
    ///   - identities: the server's certificates and keys, at least one; the first is what a client gets who asks for nobody.
    ///   - options: what else it asks of clients, and offers them.
    /// - Throws: ``TLSConfigurationError``, with a sentence that says what is wrong with which file.
    public init(_ identities: [TLSIdentity], options: TLSServerOptions = TLSServerOptions()) throws(TLSConfigurationError) {
        self.options = options
        state = Mutex(State(identities: identities, context: try .server(identities, options)))
    }

    /// Makes a context of a certificate with its chain, and a key.
    ///
    /// - Parameters:
    ///   - certificateFile: the certificate, and those that vouch for it, in PEM.
    ///   - keyFile: the private key in PEM; the certificate's file if nil.
    ///   - options: what else it asks of clients, and offers them.
    /// - Throws: ``TLSConfigurationError``.
    public convenience init(
        certificateFile: String, keyFile: String? = nil, options: TLSServerOptions = TLSServerOptions()
    ) throws(TLSConfigurationError) {
        try self.init([TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)], options: options)
    }

    /// Reads the files again: new connections get what is in them now. Where something is wrong with them, everything stays as it was.
    ///
    /// ```swift
    /// // When a certificate was renewed, on any thread:
    /// do { try context.reload() } catch { logger.error("\(error)") }
    /// ```
    ///
    /// - Throws: ``TLSConfigurationError``.
    public func reload() throws(TLSConfigurationError) {
        try replace(with: state.withLock { $0.identities })
    }

    /// Lets new connections have other certificates. Where something is wrong with these, everything stays as it was.
    ///
    /// - Throws: ``TLSConfigurationError``.
    public func replace(with identities: [TLSIdentity]) throws(TLSConfigurationError) {
        let context = try OpenSSLContext.server(identities, options)
        state.withLock { $0 = State(identities: identities, context: context) }
    }

    /// What a new connection gets.
    var current: OpenSSLContext { state.withLock { $0.context } }
}
