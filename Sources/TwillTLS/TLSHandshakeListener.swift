public import Twill

/// A protocol that is told when a handshake is over that began in the middle of its connection, by `startTLS` of a protocol.
///
/// Where the connection begins with TLS, `connectionMade` says the same.
///
/// Twisted: `IHandshakeListener`.
public protocol TLSHandshakeListener: Protocol {
    /// Called once, when everything that arrives and is written from now on is encrypted, and the peer has shown what it had to. What was written
    /// meanwhile is sent now.
    func handshakeCompleted() throws
}
