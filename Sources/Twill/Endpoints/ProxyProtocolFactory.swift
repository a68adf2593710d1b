import Logging

/// A server behind proxies that put a PROXY header in front of each connection, as HAProxy does with `send-proxy` and `send-proxy-v2`: each
/// protocol sees the client's address instead of the proxy's.
///
/// ```swift
/// let shouts = Factory { Shout() }
/// let behindProxy = try ProxyProtocolFactory(wrapping: shouts, trusting: "10.0.0.0/8, fd00::/8")
/// try reactor.listenTCP(port: 9001, factory: behindProxy)
/// ```
///
/// Whoever may send a header may pretend to be anybody, so only the proxies that you name may connect at all, and each has to send one. A port
/// is for proxies or for clients, never for both.
///
/// # Contract
/// - A peer that is not trusted is refused before anything is read. To trust nobody is the default that an empty list is.
/// - The factory inside is asked for a protocol when the whole header is there, with the announced address, and `connectionMade` follows. Where
///   it refuses, the connection is closed. Until then nothing inside hears anything, and a connection that ends before never existed there.
/// - A header that breaks the rules, or is not there in time, closes the connection with ``ConnectionLost/badInput`` and a ``ProxyHeaderError``, or
///   with ``ConnectionLost/timedOut`` and ``DeadlineError/proxyHeader(_:)``; the log has one line for each.
/// - LOCAL, UNKNOWN and UNSPEC announce nothing: such connections are served with their real addresses. A health check is one of these.
/// - What follows the header in the same read is the protocol's, also where that pauses reading at first. Another header there is data.
/// - Policies outside of it see the proxy's address and the header's bytes, those inside the client's address and none of the header. So
///   ``LimitConnectionsByPeer`` belongs inside.
///
/// ``Transport/proxied`` has the header and the real addresses.
///
/// Twisted: `proxyEndpoint`, `HAProxyWrappingFactory`, which trusts everybody, waits for ever, makes the connection before the header has come, and
/// drops it where the header comes in small pieces.
public final class ProxyProtocolFactory: WrappingFactory {
    /// Whose headers are believed; nobody else may connect.
    public let trusted: TrustedProxies
    /// How long after connecting the header has to be whole.
    public let headerTimeout: Duration
    /// The most bytes that a header of version 2 may have.
    public let headerBytesMax: Int

    /// How many connections were closed because their header broke the rules.
    public internal(set) var headersRefused = 0
    /// How many were closed because nobody trusts their peer.
    public private(set) var untrusted = 0
    /// How many were closed because their header was not there in time.
    public internal(set) var timedOut = 0

    /// Puts a factory behind proxies.
    ///
    /// - Parameters:
    ///   - wrapped: whose protocols serve the clients behind them.
    ///   - trusted: where the proxies are. An empty list trusts nobody.
    ///   - headerTimeout: how long after connecting the header has to be whole. The specification asks for 3 s at least, so that one lost segment
    ///     can be sent again.
    ///   - headerBytesMax: the most bytes that a header of version 2 may have; see ``ProxyHeaderParser/init(headerBytesMax:)``.
    public init(
        wrapping wrapped: Factory, trusting trusted: TrustedProxies, headerTimeout: Duration = .seconds(3), headerBytesMax: Int = 4096
    ) {
        self.trusted = trusted
        self.headerTimeout = headerTimeout
        self.headerBytesMax = headerBytesMax
        super.init(wrapping: wrapped)
    }

    /// Puts a factory behind proxies that a text names: `"10.0.0.0/8, 192.0.2.7, unix"`; see ``TrustedProxies/init(_:)``.
    ///
    /// - Throws: ``IPNetworkError`` with the part that names none.
    public convenience init(
        wrapping wrapped: Factory, trusting list: String, headerTimeout: Duration = .seconds(3), headerBytesMax: Int = 4096
    ) throws(IPNetworkError) {
        self.init(wrapping: wrapped, trusting: try TrustedProxies(list), headerTimeout: headerTimeout, headerBytesMax: headerBytesMax)
    }

    /// Refuses a peer that is not trusted; for another one, makes the protocol that waits for the header.
    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        guard trusted.contains(address) else {
            noteUntrusted(address)
            return nil
        }
        return ProxiedProtocol(owner: self, use: try takeUse())
    }

    private func noteUntrusted(_ peer: Address) {
        untrusted += 1
        // Anybody can be untrusted, as often as he likes: the first one tells an operator that a proxy was forgotten, and the counter tells the rest.
        guard untrusted == 1 else { return }
        logger?.warning("\(logPrefix): refused \(peer), which is none of the trusted proxies; from now on such peers are only counted")
    }

    /// Keeps the factory inside from being stopped; nil where it was never started.
    private func takeUse() throws -> Seat? {
        guard wrapped.userCount > 0 else { return nil }
        try wrapped.doStart(logger: logger)
        return Seat { [wrapped, logger] in
            do {
                try wrapped.doStop(logger: logger)
            } catch {
                logger?.error("\(wrapped.logPrefix).stopFactory threw: \(error)")
            }
        }
    }
}
