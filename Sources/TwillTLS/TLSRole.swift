import Twill

/// Who a TLS connection is on this side, and who wants to know what comes of its handshake.
protocol TLSRole: AnyObject {
    /// Whether this side speaks first.
    var isClient: Bool { get }
    /// Whether the handshake may begin now; where it may not, the role lets the protocol go on later.
    func mayBegin(_ connection: TLSProtocol) -> Bool
    /// Why the peer is refused although OpenSSL takes it; nil where it is not.
    func refusal(of connection: TLSTransport) -> TLSError?
    /// Called once: the handshake is over, or has failed.
    func handshakeEnded(_ error: TLSError?)
    /// Called after the protocol's `connectionMade`, where the handshake came before that.
    func connectionMade(_ layer: TLSTransport)
}
