import Synchronization

/// The description of an endpoint, for whoever listens or connects: `tcp:8007`, `unix:/run/chat`, `systemd:index=0`.
///
/// ```swift
/// try reactor.listen(Endpoint("tcp:8007"), factory: Factory { Echo() })
/// try reactor.connect(Endpoint("tcp:localhost:8007"), factory: ClientFactory { Greeting() })
/// ```
///
/// See <doc:Endpoints> for what can be written.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The description, taken apart.
    public let parts: EndpointDescription

    /// Reads a description; whether its prefix is known and its values make sense shows when it is used.
    ///
    /// - Throws: ``EndpointError``.
    public init(_ text: String) throws(EndpointError) {
        parts = try EndpointDescription(text)
    }

    /// The place to listen on.
    ///
    /// - Throws: ``EndpointError``.
    public func server() throws(EndpointError) -> any StreamServerEndpoint {
        try EndpointRegistry.server(parts)
    }

    /// The place to connect to.
    ///
    /// - Throws: ``EndpointError``.
    public func client() throws(EndpointError) -> any StreamClientEndpoint {
        try EndpointRegistry.client(parts)
    }

    public var description: String { parts.source }
}

/// The place to listen on that a description means. Twisted: `serverFromString`.
///
/// - Throws: ``EndpointError``.
public func serverFromString(_ text: String) throws(EndpointError) -> any StreamServerEndpoint {
    try Endpoint(text).server()
}

/// The place to connect to that a description means. Twisted: `clientFromString`.
///
/// - Throws: ``EndpointError``.
public func clientFromString(_ text: String) throws(EndpointError) -> any StreamClientEndpoint {
    try Endpoint(text).client()
}

extension Reactor {
    /// Listens where an endpoint's description says.
    ///
    /// - Throws: ``EndpointError``; ``ListenError``; what `startFactory` threw.
    @discardableResult
    public func listen(_ endpoint: Endpoint, factory: Factory) throws -> any ListeningPort {
        try endpoint.server().listen(factory, on: self)
    }

    /// Connects to where an endpoint's description says.
    ///
    /// - Throws: ``EndpointError``; what `startFactory` threw.
    @discardableResult
    public func connect(_ endpoint: Endpoint, factory: ClientFactory) throws -> Connector {
        try endpoint.client().connect(factory, on: self)
    }
}

/// What the prefixes of endpoints' descriptions mean; other modules add theirs when the program starts. It may be used from any thread.
///
/// ```swift
/// EndpointRegistry.addServer("loopback") { parts throws(EndpointError) in
///     TCPServerEndpoint(TCPBinding(port: try parts.number("port", in: 0...65535) ?? 8007, interface: "127.0.0.1"))
/// }
/// ```
///
/// Twisted: plugins that provide `IStreamServerEndpointStringParser` and `IStreamClientEndpointStringParserWithReactor`.
public enum EndpointRegistry {
    /// Makes a place to listen on of a description.
    public typealias MakeServer = @Sendable (EndpointDescription) throws(EndpointError) -> any StreamServerEndpoint
    /// Makes a place to connect to of a description.
    public typealias MakeClient = @Sendable (EndpointDescription) throws(EndpointError) -> any StreamClientEndpoint

    private static let servers = Mutex<[String: MakeServer]>(EndpointPrefixes.servers)
    private static let clients = Mutex<[String: MakeClient]>(EndpointPrefixes.clients)

    /// Adds a prefix for servers, or replaces it. Capital and small letters are the same.
    public static func addServer(_ prefix: String, _ make: @escaping MakeServer) {
        servers.withLock { $0[prefix.lowercased()] = make }
    }

    /// Adds a prefix for clients, or replaces it. Capital and small letters are the same.
    public static func addClient(_ prefix: String, _ make: @escaping MakeClient) {
        clients.withLock { $0[prefix.lowercased()] = make }
    }

    /// The prefixes that servers may have, in alphabetical order.
    public static var serverPrefixes: [String] { servers.withLock { $0.keys.sorted() } }

    /// The prefixes that clients may have, in alphabetical order.
    public static var clientPrefixes: [String] { clients.withLock { $0.keys.sorted() } }

    /// The place to listen on that a description means.
    package static func server(_ parts: EndpointDescription) throws(EndpointError) -> any StreamServerEndpoint {
        guard let make = servers.withLock({ $0[parts.prefix] }) else { throw unknown(parts, serverPrefixes, "listen on") }
        return try make(parts)
    }

    /// The place to connect to that a description means.
    package static func client(_ parts: EndpointDescription) throws(EndpointError) -> any StreamClientEndpoint {
        guard let make = clients.withLock({ $0[parts.prefix] }) else { throw unknown(parts, clientPrefixes, "connect to") }
        return try make(parts)
    }

    private static func unknown(_ parts: EndpointDescription, _ known: [String], _ use: String) -> EndpointError {
        let hint = parts.prefix == "tls" ? "; for TLS, import TwillTLS and call TLS.registerEndpoints() when the program starts" : ""
        return EndpointError(
            parts.source, parts.prefix, at: parts.prefixOffset,
            "is nothing to \(use): begin with \(known.joined(separator: ", ")), and a colon\(hint)")
    }
}
