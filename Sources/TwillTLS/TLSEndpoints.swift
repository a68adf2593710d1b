public import Twill

/// TLS in the descriptions of endpoints.
///
/// ```swift
/// TLS.registerEndpoints()
/// try reactor.listen(Endpoint("tls:443:cert=server.pem:key=server.key"), factory: Factory { Echo() })
/// let connection = try await reactor.connect("tls:example.com:443")
/// ```
///
/// See <doc:UsingTLS> for what can be written.
public enum TLS {
    /// Lets descriptions of endpoints begin with `tls:`, in the whole process; call it when the program starts. More calls change nothing.
    public static func registerEndpoints() {
        EndpointRegistry.addServer("tls") { parts throws(EndpointError) in try TLSEndpoints.server(parts) }
        EndpointRegistry.addClient("tls") { parts throws(EndpointError) in try TLSEndpoints.client(parts) }
    }
}

extension StreamServerEndpoint {
    /// The same place for connections that speak TLS; see ``TLSServerFactory``. Reloading it reloads the context.
    public func overTLS(_ context: TLSServerContext) -> any StreamServerEndpoint {
        wrapped(as: "tls:\(self)", reloadedBy: { try context.reload() }) { TLSServerFactory(wrapping: $0, context: context) }
    }
}

extension StreamClientEndpoint {
    /// The same place by TLS; see ``TLSClientFactory``.
    ///
    /// - Parameter serverName: whom the server's certificate must name: a host, or an address in numbers.
    public func overTLS(_ context: TLSClientContext, serverName: String) -> any StreamClientEndpoint {
        wrapped(as: "tls:\(EndpointDescription.host(serverName)):endpoint=\(EndpointDescription.quote("\(self)"))") {
            TLSClientFactory(wrapping: $0, context: context, serverName: serverName)
        }
    }
}

/// Reads descriptions that begin with `tls:`.
enum TLSEndpoints {
    private static let serverOptions = ["cert", "key", "password", "clientRoots", "alpn", "minimumVersion", "handshakeTimeout"]
    private static let clientOptions = [
        "name", "roots", "pin", "cert", "key", "password", "alpn", "minimumVersion", "handshakeTimeout", "endpoint",
    ]

    /// `tls:PORT`, `tls:HOST:PORT`, or `tls:` and the description of another endpoint; with options of its own.
    static func server(_ parts: EndpointDescription) throws(EndpointError) -> any StreamServerEndpoint {
        let isLayer = parts.arguments.first.map { EndpointRegistry.serverPrefixes.contains($0.text.lowercased()) } ?? false
        let inner = isLayer ? try parts.inner(without: serverOptions) : parts.reading(as: "tcp", without: serverOptions)
        let below = try EndpointRegistry.server(inner)
        guard parts.options["cert"] != nil else {
            throw parts.missing("has no certificate: name its file, and that of its key, as in cert=server.pem:key=server.key")
        }
        var options = TLSServerOptions()
        options.applicationProtocols = list(parts, "alpn")
        if let roots = parts.options["clientRoots"] { options.clientCertificates = .required(.file(roots.text)) }
        if let version = try version(parts) { options.minimumVersion = version }
        if let timeout = try parts.seconds("handshakeTimeout") { options.handshakeTimeout = timeout }
        let context: TLSServerContext
        do throws(TLSConfigurationError) {
            context = try TLSServerContext(try identities(parts), options: options)
        } catch {
            throw refusal(parts, "cert", error)
        }
        let named = written(parts, serverOptions)
        return below.wrapped(as: "tls:\(below)\(named)", reloadedBy: { try context.reload() }) {
            TLSServerFactory(wrapping: $0, context: context)
        }
    }

    /// `tls:HOST:PORT`, with options of its own and of `tcp:`; or with `endpoint=`, by which way the server is reached that is called so.
    static func client(_ parts: EndpointDescription) throws(EndpointError) -> any StreamClientEndpoint {
        let below: any StreamClientEndpoint
        if let other = parts.options["endpoint"] {
            try parts.expect(argumentsMax: 2, options: clientOptions)
            do throws(EndpointError) {
                below = try clientFromString(other.text)
            } catch {
                throw parts.error(other, "is no endpoint: \(error)")
            }
        } else {
            below = try EndpointRegistry.client(parts.reading(as: "tcp", without: clientOptions))
        }
        guard let host = parts.options["name"] ?? parts.options["host"] ?? parts.arguments.first, !host.text.isEmpty else {
            throw parts.missing("names no host: write tls:HOST:PORT, as in tls:example.com:443")
        }
        var options = TLSClientOptions()
        options.applicationProtocols = list(parts, "alpn")
        if let roots = parts.options["roots"] { options.roots = .file(roots.text) }
        if let pins = parts.options["pin"] {
            for text in list(parts, "pin") {
                guard let fingerprint = TLSFingerprint(text) else {
                    throw parts.error(pins, "is no fingerprint: give the 64 hexadecimal digits of a SHA-256, without colons")
                }
                options.pins.insert(fingerprint)
            }
        }
        if let version = try version(parts) { options.minimumVersion = version }
        if let timeout = try parts.seconds("handshakeTimeout") { options.handshakeTimeout = timeout }
        let context: TLSClientContext
        do throws(TLSConfigurationError) {
            options.identity = try identities(parts).first
            context = try TLSClientContext(options: options)
        } catch {
            throw refusal(parts, parts.options["cert"] == nil ? "roots" : "cert", error)
        }
        let serverName = host.text
        let named = written(parts, clientOptions.filter { $0 != "endpoint" && $0 != "name" })
        let way = EndpointDescription.quote("\(below)")
        return below.wrapped(as: "tls:\(EndpointDescription.host(serverName)):endpoint=\(way)\(named)") {
            TLSClientFactory(wrapping: $0, context: context, serverName: serverName)
        }
    }

    private static func identities(_ parts: EndpointDescription) throws(TLSConfigurationError) -> [TLSIdentity] {
        let certificates = list(parts, "cert")
        let keys = list(parts, "key")
        guard keys.isEmpty || keys.count == certificates.count else {
            throw TLSConfigurationError(
                "there are \(certificates.count) files of certificates and \(keys.count) of keys: give one key for each")
        }
        return certificates.indices.map { index in
            TLSIdentity(
                certificateFile: certificates[index], keyFile: keys.isEmpty ? nil : keys[index], password: parts.options["password"]?.text)
        }
    }

    /// The values of an option, with commas between them.
    private static func list(_ parts: EndpointDescription, _ name: String) -> [String] {
        parts.options[name]?.text.split(separator: ",").map(String.init) ?? []
    }

    private static func version(_ parts: EndpointDescription) throws(EndpointError) -> TLSVersion? {
        guard let part = parts.options["minimumVersion"] else { return nil }
        switch part.text {
        case "1.2": return .tls12
        case "1.3": return .tls13
        default: throw parts.error(part, "is no version that is spoken: give minimumVersion=1.2 or minimumVersion=1.3")
        }
    }

    private static func refusal(_ parts: EndpointDescription, _ option: String, _ error: TLSConfigurationError) -> EndpointError {
        guard let part = parts.options[option] else { return parts.missing("can't be used: \(error)") }
        return parts.error(part, "can't be used: \(error)")
    }

    /// The options as they are written, without passwords.
    private static func written(_ parts: EndpointDescription, _ names: [String]) -> String {
        names.filter { $0 != "password" }.compactMap { name in
            parts.options[name].map { ":\(name)=\(EndpointDescription.quote($0.text))" }
        }.joined()
    }
}
