import COpenSSL
import Synchronization
import Twill

/// OpenSSL's context: what connections have in common. Made once, changed never, and shared by the connections of any number of reactors.
///
/// OpenSSL counts the references to its object and locks what connections share in it; what is here beside it is written before anybody else
/// sees this object, and the sessions have a lock. That is what makes the `@unchecked` true.
@safe
final class OpenSSLContext: @unchecked Sendable {
    let pointer: OpaquePointer
    /// Whether a client compares the server's name with those of the certificate.
    let checksNames: Bool
    /// The application protocols, the best first, as they are sent.
    private let protocols: [UInt8]
    /// A server's contexts for other hosts than that of this one.
    private var hosts: [String: OpenSSLContext] = [:]
    private var refusesUnknownNames = false
    /// A client's sessions, which spare it the better part of a handshake, by whom they are with.
    private let sessions = Mutex(Sessions())

    private struct Sessions {
        var all: [String: OpenSSLSession] = [:]
        var order: [String] = []
    }

    /// How many servers' sessions are remembered.
    private static let sessionsMax = 256

    /// Mozilla's intermediate profile, which everything speaks that is younger than ten years: forward secrecy and authenticated encryption only.
    private static let ciphers = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
        ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
        """
    private static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let groups = "X25519:P-256:P-384"
    /// Keys of RSA have 2048 bits at least, and signatures are better than SHA-1.
    private static let securityLevel: CInt = 2

    private init(
        _ method: OpaquePointer?, minimum: TLSVersion, wantsTickets: Bool, protocols: [String], checksNames: Bool
    ) throws(TLSConfigurationError) {
        guard let pointer = unsafe SSL_CTX_new(method) else {
            throw TLSConfigurationError("OpenSSL gives no context: \(OpenSSLErrors.takeLast())")
        }
        unsafe self.pointer = pointer
        self.checksNames = checksNames
        self.protocols = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        unsafe twill_set_modes(pointer)
        unsafe twill_set_options(pointer, wantsTickets ? 1 : 0)
        unsafe twill_on_progress(pointer) { ssl, place, _ in
            if unsafe twill_was_late_message(ssl, place) != 0 { unsafe TLSEngine.of(ssl)?.noteLateMessage() }
        }
        unsafe SSL_CTX_set_security_level(pointer, Self.securityLevel)
        guard unsafe twill_set_minimum_version(pointer, minimum.number) == 1, unsafe SSL_CTX_set_cipher_list(pointer, Self.ciphers) == 1,
            unsafe SSL_CTX_set_ciphersuites(pointer, Self.suites) == 1, unsafe twill_set_groups(pointer, Self.groups) == 1
        else { throw TLSConfigurationError("this OpenSSL has none of the ciphers that are wanted: \(OpenSSLErrors.takeLast())") }
    }

    deinit {
        unsafe SSL_CTX_free(pointer)
    }

    // Servers.

    /// A server's context, which shows the first of several certificates unless a client asks for a name of another one.
    static func server(_ identities: [TLSIdentity], _ options: TLSServerOptions) throws(TLSConfigurationError) -> OpenSSLContext {
        guard !identities.isEmpty else {
            throw TLSConfigurationError("a server without a certificate can't speak TLS: give it at least one, with its key")
        }
        let protocols = try checked(options.applicationProtocols)
        var contexts: [(OpenSSLContext, TLSCertificate)] = []
        for identity in identities {
            let context = unsafe try OpenSSLContext(
                TLS_server_method(), minimum: options.minimumVersion, wantsTickets: options.wantsSessionTickets, protocols: protocols,
                checksNames: false)
            contexts.append((context, try context.use(identity)))
            unsafe twill_set_cache(context.pointer, twill_cache_off)
            // What sessions are worth for who has shown a certificate: nothing at another server.
            unsafe SSL_CTX_set_session_id_context(context.pointer, "twill", 5)
            try context.ask(options.clientCertificates)
            context.selectProtocol()
        }
        let first = contexts[0].0
        first.refusesUnknownNames = options.refusesUnknownNames
        for (context, certificate) in contexts {
            for name in certificate.hostNames.map(TLSServerName.normal) where first.hosts[name] == nil { first.hosts[name] = context }
        }
        // It must not keep itself.
        for (name, context) in first.hosts where context === first { first.ownNames.insert(name) }
        first.hosts = first.hosts.filter { $0.value !== first }
        first.selectByName()
        return first
    }

    /// The names of this context's own certificate.
    private var ownNames: Set<String> = []

    private static func checked(_ protocols: [String]) throws(TLSConfigurationError) -> [String] {
        for name in protocols where !(1...255).contains(name.utf8.count) {
            throw TLSConfigurationError("\"\(name)\" is no application protocol: its name has from 1 to 255 bytes, as \"h2\" has")
        }
        return protocols
    }

    /// Shows a certificate, with the chain that vouches for it; its own.
    @discardableResult
    private func use(_ identity: TLSIdentity) throws(TLSConfigurationError) -> TLSCertificate {
        var own: TLSCertificate?
        var refusal: String?
        let count = unsafe PEM.forEachCertificate(try identity.certificates.bytes()) { certificate in
            if own == nil {
                own = unsafe TLSCertificate(certificate)
                if unsafe SSL_CTX_use_certificate(pointer, certificate) != 1 { refusal = OpenSSLErrors.takeLast() }
            } else if unsafe twill_add_chain(pointer, certificate) != 1 {
                refusal = OpenSSLErrors.takeLast()
            }
        }
        guard count > 0, let own else {
            throw TLSConfigurationError(
                "\(identity.certificates) has no certificate in it, or a broken one: it must be PEM, with BEGIN CERTIFICATE")
        }
        if let refusal {
            throw TLSConfigurationError(
                "OpenSSL refuses the certificate of \(identity.certificates): \(refusal); a key of RSA must have 2048 bits, and SHA-1 signs nothing"
            )
        }
        let fits = unsafe PEM.withKey(try identity.key.bytes(), password: identity.password) { key in
            unsafe SSL_CTX_use_PrivateKey(pointer, key) == 1 && SSL_CTX_check_private_key(pointer) == 1
        }
        switch fits {
        case true: return own
        case false:
            ERR_clear_error()
            throw TLSConfigurationError("the key of \(identity.key) is not that of the certificate of \(identity.certificates)")
        case nil:
            throw TLSConfigurationError(
                "\(identity.key) has no key in it that can be read: it must be PEM, with BEGIN PRIVATE KEY, and the right password where it has one"
            )
        }
    }

    private func ask(_ clients: TLSServerOptions.ClientCertificates) throws(TLSConfigurationError) {
        let mode: CInt
        let roots: TLSRoots
        switch clients {
        case .none: return
        case .optional(let trusted): (mode, roots) = (twill_verify_peer, trusted)
        case .required(let trusted): (mode, roots) = (twill_verify_must, trusted)
        }
        try trust(roots, isServer: true)
        unsafe SSL_CTX_set_verify(pointer, mode, verified)
    }

    private func trust(_ roots: TLSRoots, isServer: Bool) throws(TLSConfigurationError) {
        guard case .pem(let source) = roots.kind else {
            guard unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                throw TLSConfigurationError("the system's trusted authorities can't be read: \(OpenSSLErrors.takeLast())")
            }
            return
        }
        let store = unsafe SSL_CTX_get_cert_store(pointer)
        let count = unsafe PEM.forEachCertificate(try source.bytes()) { certificate in
            unsafe X509_STORE_add_cert(store, certificate)
            if isServer { unsafe twill_add_client_authority(pointer, certificate) }
        }
        ERR_clear_error()
        guard count > 0 else {
            throw TLSConfigurationError("\(source) has no certificate in it, or a broken one: it must be PEM, with BEGIN CERTIFICATE")
        }
        // Whoever is named here is trusted, whoever has signed it.
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    /// Lets clients choose by name among the certificates.
    private func selectByName() {
        // The callback runs inside handshakes of connections that keep this object.
        unsafe twill_on_server_name(
            pointer,
            { ssl, alert, argument in
                guard let argument = unsafe argument else { return SSL_TLSEXT_ERR_NOACK }
                return unsafe Unmanaged<OpenSSLContext>.fromOpaque(argument)._withUnsafeGuaranteedRef { unsafe $0.nameWasAsked(ssl, alert) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func nameWasAsked(_ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<CInt>?) -> CInt {
        guard let asked = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return SSL_TLSEXT_ERR_NOACK }
        // OpenSSL keeps it for the length of the call.
        let name = unsafe TLSServerName.normal(String(cString: asked))
        let wildcard = name.firstIndex(of: ".").map { "*" + name[$0...] } ?? ""
        if ownNames.contains(name) { return SSL_TLSEXT_ERR_OK }
        if let context = hosts[name] ?? (ownNames.contains(wildcard) ? self : hosts[wildcard]) {
            if context !== self { unsafe SSL_set_SSL_CTX(ssl, context.pointer) }
            return SSL_TLSEXT_ERR_OK
        }
        guard refusesUnknownNames else { return SSL_TLSEXT_ERR_NOACK }
        unsafe TLSEngine.of(ssl)?.note(refusedName: TLSServerName.printable(name))
        unsafe alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// Chooses the first of this side's application protocols that the client has, too.
    private func selectProtocol() {
        guard !protocols.isEmpty else { return }
        unsafe SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, selected, selectedCount, offered, offeredCount, argument in
                guard let argument = unsafe argument, let offered = unsafe offered else { return SSL_TLSEXT_ERR_NOACK }
                let offer = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
                // As above: connections keep the context.
                let range = unsafe Unmanaged<OpenSSLContext>.fromOpaque(argument)._withUnsafeGuaranteedRef {
                    unsafe ALPN.select($0.protocols, from: Array(offer))
                }
                guard let range else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                unsafe selected?.pointee = offered + range.lowerBound
                unsafe selectedCount?.pointee = UInt8(range.count)
                return SSL_TLSEXT_ERR_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    // Clients.

    static func client(_ options: TLSClientOptions) throws(TLSConfigurationError) -> OpenSSLContext {
        let protocols = try checked(options.applicationProtocols)
        let context = unsafe try OpenSSLContext(
            TLS_client_method(), minimum: options.minimumVersion, wantsTickets: true, protocols: protocols,
            checksNames: options.verifies)
        if let maximum = options.maximumVersion { unsafe twill_set_maximum_version(context.pointer, maximum.number) }
        if options.verifies {
            try context.trust(options.roots, isServer: false)
            unsafe SSL_CTX_set_verify(context.pointer, twill_verify_peer, verified)
            try context.check(options.revocationLists)
        } else {
            unsafe SSL_CTX_set_verify(context.pointer, twill_verify_none, nil)
        }
        if let identity = options.identity { try context.use(identity) }
        // The call copies them; it returns 0 where it succeeds.
        if !protocols.isEmpty { unsafe SSL_CTX_set_alpn_protos(context.pointer, context.protocols, UInt32(context.protocols.count)) }
        if options.resumesSessions { context.keepSessions() }
        return context
    }

    private func check(_ lists: [TLSSource]) throws(TLSConfigurationError) {
        guard !lists.isEmpty else { return }
        let store = unsafe SSL_CTX_get_cert_store(pointer)
        for source in lists {
            let count = unsafe PEM.forEachRevocationList(try source.bytes()) { list in unsafe X509_STORE_add_crl(store, list) }
            guard count > 0 else {
                throw TLSConfigurationError(
                    "\(source) has no list of revoked certificates in it, or a broken one: it must be PEM, with BEGIN X509 CRL")
            }
        }
        unsafe twill_check_revocations(store)
    }

    private func keepSessions() {
        unsafe twill_set_cache(pointer, twill_cache_client)
        unsafe SSL_CTX_sess_set_new_cb(pointer) { ssl, session in
            guard let engine = unsafe TLSEngine.of(ssl), let session = unsafe session else { return 0 }
            unsafe SSL_SESSION_up_ref(session)
            // 0 says that OpenSSL's own reference is not wanted.
            unsafe engine.keep(OpenSSLSession(session))
            return 0
        }
    }

    /// Keeps a session for the next connection to the same server.
    func keep(_ session: OpenSSLSession, _ key: String) {
        sessions.withLock { sessions in
            if sessions.all.updateValue(session, forKey: key) == nil { sessions.order.append(key) }
            if sessions.order.count > Self.sessionsMax { sessions.all[sessions.order.removeFirst()] = nil }
        }
    }

    /// Lets a connection go on with the session of an earlier one. One of TLS 1.3 is used once, so that two connections can't be told to be one
    /// client's; with an older version, servers do not send a new one each time.
    func resume(_ ssl: OpaquePointer, _ key: String) {
        let kept = sessions.withLock { sessions -> OpenSSLSession? in
            guard let session = sessions.all[key], session.isForOneUse else { return sessions.all[key] }
            sessions.all[key] = nil
            sessions.order.removeAll { $0 == key }
            return session
        }
        // The connection counts a reference of its own.
        if let kept { unsafe SSL_set_session(ssl, kept.pointer) }
    }
}

/// A session of a client's with a server: one reference to OpenSSL's object, which is let go with this one.
///
/// OpenSSL counts the references with atomic numbers, and nobody changes a session that is kept. That is what makes the `@unchecked` true.
@safe
final class OpenSSLSession: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe SSL_SESSION_free(pointer)
    }

    /// Whether the server has sent it for one connection more.
    var isForOneUse: Bool { unsafe SSL_SESSION_get_protocol_version(pointer) >= TLS1_3_VERSION }
}

/// Notes why a certificate is refused; OpenSSL has decided it.
private let verified: @convention(c) (CInt, OpaquePointer?) -> CInt = { isValid, store in
    guard isValid == 0, let store = unsafe store, let engine = unsafe TLSEngine.of(twill_verified_connection(store)) else { return isValid }
    // Whom this side trusts by name needs nobody's list of those who are not revoked.
    if unsafe X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL && twill_is_trusted_end(store) == 1 {
        unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    }
    let certificate = unsafe X509_STORE_CTX_get_current_cert(store).map { unsafe TLSCertificate($0) }
    engine.note(refusal: OpenSSLErrors.refusal(unsafe X509_STORE_CTX_get_error(store), certificate))
    return 0
}
