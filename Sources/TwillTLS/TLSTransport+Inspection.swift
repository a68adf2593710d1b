public import Twill

extension TLSTransport {
    /// The peer's certificate; nil where it has shown none.
    public var peerCertificate: TLSCertificate? { engine.peerChain.first }

    /// The peer's certificate, and those that it has sent along to vouch for it.
    ///
    /// Of a client whose session was taken up again, only its own: the others are no part of a session.
    public var peerCertificates: [TLSCertificate] { engine.peerChain }

    /// The version of TLS that both sides speak.
    public var version: TLSVersion { TLSVersion(number: engine.version) }

    /// The cipher, as the registry of TLS writes it: "TLS_AES_256_GCM_SHA384".
    public var cipher: String { engine.cipher }

    /// The application protocol that both sides have agreed on (ALPN); nil where they have not.
    public var applicationProtocol: String? { engine.applicationProtocol }

    /// The name of the host that the client has asked for (SNI); nil where it has asked for none.
    public var serverName: String? { engine.serverName }

    /// Whether the session of an earlier connection was taken up again.
    public var wasResumed: Bool { engine.wasResumed }
}

extension Transport {
    /// The transport that speaks TLS, below whatever policies have put over it; nil where the connection is not encrypted.
    ///
    /// During a handshake that began in the middle of a connection it is there already, and knows nothing of the peer yet.
    public var tls: TLSTransport? {
        var transport = self
        while true {
            if let tls = transport as? TLSTransport { return tls }
            guard let wrapper = transport as? TransportWrapper else { return nil }
            transport = wrapper.inner
        }
    }
}
