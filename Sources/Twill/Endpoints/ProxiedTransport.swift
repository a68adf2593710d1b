/// The transport of a connection that came by way of a proxy: its addresses are those that the proxy announces.
///
/// ```swift
/// final class Shop: LineReceiver {
///     override func connectionMade() {
///         print(transport.peer)                                          // the client
///         if let proxied = transport.proxied { print(proxied.realPeer) } // the proxy
///     }
/// }
/// ```
///
/// ``ProxyProtocolFactory`` puts it between the connection and the protocol. Where the header announces no addresses, for LOCAL, UNKNOWN and UNSPEC,
/// the real ones stay.
///
/// # Contract
/// - What ``Transport`` and ``TransportWrapper`` say.
/// - An IPv4 address that is written as an IPv6 one is its IPv4 address, as it is for connections without a proxy.
///
/// See also ``Transport/proxied``.
public final class ProxiedTransport: TransportWrapper {
    /// What the proxy has said.
    public let header: ProxyHeader

    /// Whether what is inside wants no input.
    private(set) var isPausedInside = false
    private weak var connection: ProxiedProtocol?

    init(over inner: Transport, header: ProxyHeader, for connection: ProxiedProtocol) {
        self.header = header
        self.connection = connection
        super.init(over: inner)
    }

    /// The client, as the proxy announces it; the real peer where it announces none.
    public override var peer: Address { header.source?.unmapped ?? inner.peer }

    /// Where the client has connected to, as the proxy announces it; the real host where it announces none.
    public override var host: Address { header.destination?.unmapped ?? inner.host }

    /// The proxy, as the connection below names it.
    public var realPeer: Address { inner.peer }

    /// This side's end of the connection to the proxy.
    public var realHost: Address { inner.host }

    public override func pauseProducing() {
        isPausedInside = true
        super.pauseProducing()
    }

    public override func resumeProducing() {
        isPausedInside = false
        super.resumeProducing()
        connection?.readingResumed()
    }
}

extension Transport {
    /// The transport that knows what a proxy has said of this connection, below whatever policies have put over it; nil where no
    /// ``ProxyProtocolFactory`` is below.
    ///
    /// Behind two proxies that each put a header in front it is the one that is nearer to the protocol, with the header that came last; the
    /// other one is its `inner.proxied`.
    public var proxied: ProxiedTransport? {
        var transport = self
        while true {
            if let proxied = transport as? ProxiedTransport { return proxied }
            guard let wrapper = transport as? TransportWrapper else { return nil }
            transport = wrapper.inner
        }
    }
}

extension Address {
    /// The IPv4 address where an IPv6 one is only the way in which that is written.
    var unmapped: Address {
        if case .ipv6(let address) = self, let ipv4 = address.mappedIPv4 { .ipv4(ipv4) } else { self }
    }
}
