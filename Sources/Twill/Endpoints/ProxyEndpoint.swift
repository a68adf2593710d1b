extension StreamServerEndpoint {
    /// The same place for connections that come through proxies and begin with a PROXY header; see ``ProxyProtocolFactory``.
    ///
    /// - Parameters:
    ///   - trusted: whose headers are believed; nobody else may connect.
    ///   - headerTimeout: how long after connecting the header has to be whole.
    ///
    /// Twisted: `proxyEndpoint`, which trusts everybody.
    public func behindProxies(trusting trusted: TrustedProxies, headerTimeout: Duration = .seconds(3)) -> any StreamServerEndpoint {
        var text = "haproxy:\(self):trust=[\(trusted)]"
        if headerTimeout != .seconds(3) { text += ":headerTimeout=\(headerTimeout.decimalSeconds)" }
        return wrapped(as: text) { ProxyProtocolFactory(wrapping: $0, trusting: trusted, headerTimeout: headerTimeout) }
    }
}

extension EndpointPrefixes {
    /// `haproxy:` and another description, with options of its own.
    static func proxyServer(_ parts: EndpointDescription) throws(EndpointError) -> any StreamServerEndpoint {
        guard let trust = parts.options["trust"] else {
            throw parts.missing(
                "trusts nobody: name the proxies, as in trust=10.0.0.0/8, or more than one in brackets, as in trust=[10.0.0.0/8,fd00::/8]")
        }
        let trusted: TrustedProxies
        do throws(IPNetworkError) {
            trusted = try TrustedProxies(trust.text)
        } catch {
            throw parts.error(trust, "names no proxies: \(error)")
        }
        let headerTimeout = try parts.seconds("headerTimeout") ?? .seconds(3)
        let inner = try EndpointRegistry.server(parts.inner(without: ["trust", "headerTimeout"]))
        return inner.behindProxies(trusting: trusted, headerTimeout: headerTimeout)
    }
}
