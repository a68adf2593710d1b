/// Why TLS failed: in the handshake, or later because the peer broke its rules.
///
/// Compare with `==` to ask for the kind; two errors of one kind are equal whatever their sentences say.
///
/// ```swift
/// final class Fetch: ClientFactory {
///     override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
///         if let error = reason.underlying as? TLSError, error == .certificateExpired { print("it has to be renewed: \(error)") }
///     }
/// }
/// ```
///
/// A server's factory hears of it by ``TLSServerFactory/whenHandshakeFailed``, a client's as the ``/Twill/ConnectError/underlying`` error of its
/// `clientConnectionFailed`; a connection that was made before, in the ``/Twill/ConnectionLost/underlying`` error of its `connectionLost`.
///
/// Twisted: `OpenSSL.SSL.Error`, which is a list of numbers.
public struct TLSError: Error, Sendable {
    enum Kind: UInt8, Sendable {
        case certificateExpired, certificateNotYetValid, wrongHost, selfSigned, unknownAuthority, certificateRevoked, weakCertificate
        case certificateRefused, noCertificate, pinMismatch
        case notTLS, version, noSharedCipher, noApplicationProtocol, unknownServerName
        case alert, timedOut, closed, badRecord, cancelled, failed
    }

    let kind: Kind
    /// What went wrong, as a sentence without a capital and a full stop.
    public let message: String

    init(_ kind: Kind, _ message: String = "") {
        self.kind = kind
        self.message = message
    }

    /// The peer's certificate, or one that vouches for it, has expired.
    public static let certificateExpired = TLSError(.certificateExpired)
    /// The peer's certificate, or one that vouches for it, is not valid yet.
    public static let certificateNotYetValid = TLSError(.certificateNotYetValid)
    /// The server's certificate is for other hosts, or the name that was asked for can be that of none.
    public static let wrongHost = TLSError(.wrongHost)
    /// The peer's certificate is vouched for by nobody but itself, and is none of the trusted ones.
    public static let selfSigned = TLSError(.selfSigned)
    /// Nobody whom this side trusts vouches for the peer's certificate: an unknown authority, or a chain with a certificate missing.
    public static let unknownAuthority = TLSError(.unknownAuthority)
    /// The peer's certificate was revoked.
    public static let certificateRevoked = TLSError(.certificateRevoked)
    /// A certificate's key is too short, or its signature too weak.
    public static let weakCertificate = TLSError(.weakCertificate)
    /// The peer's certificate was refused for another reason, which the message tells.
    public static let certificateRefused = TLSError(.certificateRefused)
    /// The client has shown no certificate, and has to.
    public static let noCertificate = TLSError(.noCertificate)
    /// The server's certificate is valid, and none of those that this side has pinned.
    public static let pinMismatch = TLSError(.pinMismatch)
    /// What the peer sent is no TLS: plain HTTP, or anything else.
    public static let notTLS = TLSError(.notTLS)
    /// The two sides have no version of TLS in common.
    public static let version = TLSError(.version)
    /// The two sides have no cipher in common, or no signature that fits the certificate.
    public static let noSharedCipher = TLSError(.noSharedCipher)
    /// The two sides have no application protocol in common (ALPN).
    public static let noApplicationProtocol = TLSError(.noApplicationProtocol)
    /// The client has asked for a host that this server does not have, and it refuses such.
    public static let unknownServerName = TLSError(.unknownServerName)
    /// The peer has refused this side, by an alert that the message names.
    public static let alert = TLSError(.alert)
    /// The handshake was not over in time.
    public static let timedOut = TLSError(.timedOut)
    /// The peer closed the connection in the middle of the handshake.
    public static let closed = TLSError(.closed)
    /// A record could not be decrypted, or broke the rules of TLS: it was damaged, or somebody has meddled with it.
    public static let badRecord = TLSError(.badRecord)
    /// This side closed the connection in the middle of the handshake.
    public static let cancelled = TLSError(.cancelled)
    /// Anything else; the message says what.
    public static let failed = TLSError(.failed)
}

extension TLSError: Equatable {
    public static func == (left: TLSError, right: TLSError) -> Bool { left.kind == right.kind }
}

extension TLSError: CustomStringConvertible {
    public var description: String { message.isEmpty ? "\(kind)" : message }
}

/// The peer's bytes ended, and it did not say by TLS that this was the end: what came may not be all that it has sent. Somebody between the two
/// may have cut the connection.
///
/// It is the ``/Twill/ConnectionLost/underlying`` error of a loss that is ``/Twill/ConnectionLost/lost``: such an end is no clean one. Peers that close without a
/// word, as many clients of the web do, cause it too.
public struct TLSTruncated: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String { "the peer closed without TLS's own end: what came may not be all" }
}

/// What can't be made into a context for TLS: a file that can't be read, a key that is none, a key that does not fit.
public struct TLSConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what would be right, as a sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What can't be done with a connection by TLS.
public enum TLSUsageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no connection: it is not made yet, or has ended, or is closing.
    case notConnected
    /// The protocol has handed the connection over to another one.
    case handedOver

    public var description: String {
        switch self {
        case .notConnected: "TLS can begin on an open connection only: call it between connectionMade and the end"
        case .handedOver: "the connection is another protocol's now: let that one begin TLS"
        }
    }
}
