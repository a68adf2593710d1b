import COpenSSL
import Twill

/// TLS itself, for one connection: OpenSSL's object, fed with spans, without a socket and without buffers of its own.
///
/// It knows nothing of transports. Records that a call makes wait in the ``TLSWorkspace``, and are to be taken from there before anything else of TLS
/// is called on the same reactor.
@safe
final class TLSEngine {
    /// What came of a call.
    enum Outcome {
        /// There may be more in the input: it was not read to its end.
        case more
        /// All of the input was read; more is needed.
        case waits
        /// The handshake is over.
        case isSecure
        /// The peer has said that it will send no more.
        case ended
        /// The rules of TLS were broken, or the peer has sent an alert.
        case failed
    }

    let ssl: OpaquePointer
    private let workspace: TLSWorkspace
    /// Keeps what OpenSSL's object and its callbacks refer to.
    private let context: OpenSSLContext
    /// Under what name a session is kept, and taken up again.
    let sessionKey: String?
    /// Why the peer's certificate was refused.
    private(set) var refusal: TLSError?
    /// The name that the client has asked for, where this server does not have it and refuses.
    private(set) var refusedName: String?
    /// How many messages of TLS's own have come in a row, with nothing for the protocol among them, since the handshake.
    private var lateMessages = 0
    /// Far more than there is a reason for: keys are changed after gigabytes, and servers send a few tickets. Each takes as long as kilobytes do.
    private static let lateMessagesMax = 32
    /// Whether nothing can be read or written any more.
    private(set) var isBroken = false

    /// The kind of BIO that leads to a workspace; nil where memory ran out. Never changed once it is made.
    private nonisolated(unsafe) static let method: OpaquePointer? = unsafe twill_bio_method()

    /// A connection of a context's.
    ///
    /// - Parameters:
    ///   - server: for a client, whom the certificate must name and who is asked for; nil for a server.
    init(_ context: OpenSSLContext, server: TLSServerName?, isClient: Bool, workspace: TLSWorkspace) throws(TLSError) {
        // Only memory can be missing.
        guard let ssl = unsafe SSL_new(context.pointer) else { throw Self.outOfMemory }
        guard let method = unsafe Self.method, unsafe twill_tls_attach(ssl, method, workspace.io) == 1 else {
            unsafe SSL_free(ssl)
            throw Self.outOfMemory
        }
        unsafe self.ssl = ssl
        self.workspace = workspace
        self.context = context
        sessionKey = isClient ? server?.text : nil
        // The callbacks that use it run inside calls of this object's.
        unsafe twill_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
        if isClient {
            unsafe SSL_set_connect_state(ssl)
            if let server { try expect(server) }
            if let sessionKey { unsafe context.resume(ssl, sessionKey) }
        } else {
            unsafe SSL_set_accept_state(ssl)
        }
    }

    private static let outOfMemory = TLSError(.failed, "there is no memory left for another connection")

    deinit {
        unsafe SSL_free(ssl)
    }

    private func expect(_ server: TLSServerName) throws(TLSError) {
        switch server {
        case .host(let name):
            unsafe twill_set_name(ssl, name)
            if context.checksNames {
                unsafe twill_expect_host(ssl, UInt32(twill_host_flags))
                // A name that is not compared must not pass for one that is; only memory can be missing.
                guard unsafe SSL_set1_host(ssl, name) == 1 else { throw Self.outOfMemory }
            }
        case .address(let address):
            // There are no addresses among the names that a client may ask for.
            if context.checksNames, unsafe twill_expect_address(ssl, address) != 1 { throw Self.outOfMemory }
        }
    }

    /// Goes on with the handshake.
    func shakeHands(_ input: Span<UInt8>, from position: inout Int) -> Outcome {
        lend(input, &position) { unsafe self.outcome(twill_tls_handshake(ssl)) }
    }

    /// Decrypts as many records as there are, up to what the buffer holds, and lends what was in them.
    @inline(__always)
    func decrypt(
        _ input: Span<UInt8>, from position: inout Int, hasOutput: () -> Void, deliver: (Span<UInt8>) -> Void
    ) -> Outcome {
        unsafe workspace.withPlaintextBuffer { buffer in
            var count = 0
            let outcome = lend(input, &position) {
                while true {
                    // A whole record fits: OpenSSL never keeps a part of one.
                    guard buffer.count - count >= TLSWorkspace.recordBytes else { return .more }
                    let result = unsafe twill_tls_read(ssl, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
                    guard result > 0 else { return self.outcome(result) }
                    count += Int(result)
                    // Most reads bring whole records; asking once more would only find that.
                    if unsafe workspace.io.pointee.input_count == 0 { return .waits }
                }
            }
            if workspace.hasOutput { hasOutput() }
            if count > 0 {
                // Not sooner, or a byte after each message would let a whole buffer of them pass in one call.
                if lateMessages <= Self.lateMessagesMax { lateMessages = 0 }
                // Nobody else is lent this buffer before this returns.
                unsafe deliver(
                    Span(_unsafeElements: UnsafeBufferPointer(start: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count: count))
                )
            }
            return outcome
        }
    }

    /// Looks at what comes next without taking it: whether it is something to read, or the peer's end.
    func lookAhead(_ input: Span<UInt8>, from position: inout Int) -> Outcome {
        lend(input, &position) {
            let result = unsafe twill_tls_peek(ssl)
            return result > 0 ? .more : outcome(result)
        }
    }

    /// Encrypts bytes, at most ``TLSWorkspace/sliceBytes`` of them; false where that is impossible: for good where ``isBroken``, else until the rest
    /// has arrived of a message of TLS's own, such as a ticket that takes several records.
    @inline(__always)
    func encrypt(_ data: Span<UInt8>) -> Bool {
        guard !isBroken else { return false }
        unsafe workspace.io.pointee.input_count = 0
        let result = unsafe data.withUnsafeBytes { unsafe twill_tls_write(ssl, $0.baseAddress, $0.count) }
        if result <= 0, result != twill_tls_waits {
            isBroken = true
            ERR_clear_error()
        }
        return result > 0
    }

    /// Whether a message of TLS's own has half arrived, after the handshake: nothing can be said before the rest has.
    var hasHalfAMessage: Bool { unsafe !isBroken && SSL_in_init(ssl) == 1 }

    /// Says that nothing more will be written.
    func end() {
        guard !isBroken else { return }
        unsafe workspace.io.pointee.input_count = 0
        ERR_clear_error()
        unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    @inline(__always)
    private func lend(_ input: Span<UInt8>, _ position: inout Int, _ body: () -> Outcome) -> Outcome {
        unsafe input.withUnsafeBytes { bytes in
            // OpenSSL reads it inside of the body only.
            unsafe workspace.io.pointee.input = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self).advanced(by: position)
            unsafe workspace.io.pointee.input_count = bytes.count - position
            let outcome = body()
            position = unsafe bytes.count - workspace.io.pointee.input_count
            unsafe workspace.io.pointee.input = nil
            unsafe workspace.io.pointee.input_count = 0
            return outcome
        }
    }

    private func outcome(_ result: CInt) -> Outcome {
        switch result {
        case 1...: return .isSecure
        case twill_tls_waits where lateMessages <= Self.lateMessagesMax: return .waits
        case twill_tls_ended: return .ended
        default:
            isBroken = true
            return .failed
        }
    }

    // What OpenSSL's callbacks tell.

    /// The engine of a connection of OpenSSL's, for its callbacks.
    static func of(_ ssl: OpaquePointer?) -> TLSEngine? {
        guard let ssl = unsafe ssl, let owner = unsafe twill_owner(ssl) else { return nil }
        // The callbacks run inside calls of the engine's, which is alive then.
        return unsafe Unmanaged<TLSEngine>.fromOpaque(owner).takeUnretainedValue()
    }

    func note(refusal: TLSError) {
        self.refusal = refusal
    }

    func note(refusedName: String) {
        self.refusedName = refusedName
    }

    /// A message of TLS's own was read. OpenSSL would go on through all of them in one call, so what follows too many is taken from it.
    func noteLateMessage() {
        lateMessages += 1
        if lateMessages > Self.lateMessagesMax { unsafe workspace.io.pointee.input_count = 0 }
    }

    /// Why the last call failed.
    func failure(isSecure: Bool) -> TLSError {
        defer { ERR_clear_error() }
        if lateMessages > Self.lateMessagesMax {
            return TLSError(.badRecord, "the peer has changed its keys, or sent tickets, more than \(Self.lateMessagesMax) times in a row")
        }
        if let refusal { return refusal }
        if let refusedName { return TLSError(.unknownServerName, "the client asked for \(refusedName), which this server does not have") }
        return OpenSSLErrors.error(twill_last_error(), isSecure: isSecure)
    }

    /// Keeps a session for another connection, where this one has a name to keep it by.
    func keep(_ session: OpenSSLSession) {
        if let sessionKey { context.keep(session, sessionKey) }
    }

    // What is known of the connection.

    /// The version of TLS, as "TLSv1.3".
    var version: CInt { unsafe SSL_version(ssl) }

    /// The cipher's name, as RFC 8446 and the registry of TLS write it.
    var cipher: String {
        guard let cipher = unsafe SSL_get_current_cipher(ssl), let name = unsafe SSL_CIPHER_standard_name(cipher) else { return "" }
        // A text that is part of OpenSSL.
        return unsafe String(cString: name)
    }

    var wasResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// The application protocol that both sides have agreed on.
    var applicationProtocol: String? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &bytes, &count)
        guard count > 0, let bytes = unsafe bytes else { return nil }
        // OpenSSL's object keeps them.
        return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }

    /// The name that the client has asked for.
    var serverName: String? {
        unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
    }

    /// The peer's certificates, its own first; none where it has shown none.
    var peerChain: [TLSCertificate] {
        guard let own = unsafe SSL_get1_peer_certificate(ssl) else { return [] }
        defer { unsafe X509_free(own) }
        // A client's copy of the chain has the server's own certificate in it, a server's has not.
        let others = unsafe SSL_get_peer_cert_chain(ssl)
        var chain = unsafe [TLSCertificate(own)]
        let count = unsafe twill_chain_count(others)
        for index in 0..<count {
            guard let other = unsafe twill_chain_certificate(others, index), unsafe X509_cmp(own, other) != 0 else { continue }
            unsafe chain.append(TLSCertificate(other))
        }
        return chain
    }
}
