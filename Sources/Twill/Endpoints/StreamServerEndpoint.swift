/// Where a server is to be reached, told apart from what it serves.
///
/// ```swift
/// try serverFromString("tcp:8007").listen(Factory { Echo() }, on: reactor)
/// ```
///
/// Its description is what ``serverFromString(_:)`` reads.
///
/// Twisted: `IStreamServerEndpoint`.
public protocol StreamServerEndpoint: CustomStringConvertible, Sendable {
    /// Begins to listen, and serves each connection with a protocol of the factory.
    ///
    /// - Throws: ``ListenError``; what `startFactory` threw.
    @discardableResult
    func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort

    /// Reads anew what it was made of: the files of a certificate. Connections that are made from now on get that, on ports that listen already, too.
    ///
    /// May be called on any thread. Most endpoints are made of nothing that changes, and do nothing.
    ///
    /// - Throws: what is wrong with it; everything stays as it was then.
    func reload() throws
}

extension StreamServerEndpoint {
    /// Does nothing: there is nothing to read.
    public func reload() throws {}
}

/// A TCP port. Twisted: `TCP4ServerEndpoint`, `TCP6ServerEndpoint`.
public struct TCPServerEndpoint: StreamServerEndpoint {
    /// Where and how it listens.
    public var binding: TCPBinding

    /// An endpoint that listens so.
    public init(_ binding: TCPBinding) {
        self.binding = binding
    }

    public func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort {
        try reactor.listenTCP(on: binding, factory: factory)
    }

    public var description: String {
        var parts = ["tcp"]
        if !binding.interface.isEmpty { parts.append(EndpointDescription.host(binding.interface)) }
        parts.append("\(binding.port)")
        let standard = TCPBinding(port: 0)
        if binding.backlog != standard.backlog { parts.append("backlog=\(binding.backlog)") }
        if binding.reusePort { parts.append("reusePort=1") }
        if let connectionsMax = binding.connectionsMax { parts.append("connectionsMax=\(connectionsMax)") }
        return parts.joined(separator: ":")
    }
}

/// A UNIX socket. Twisted: `UNIXServerEndpoint`.
public struct UNIXServerEndpoint: StreamServerEndpoint {
    /// Where and how it listens.
    public var binding: UNIXBinding

    /// An endpoint that listens so.
    public init(_ binding: UNIXBinding) {
        self.binding = binding
    }

    public func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort {
        try reactor.listenUNIX(on: binding, factory: factory)
    }

    public var description: String {
        var parts = ["unix", EndpointDescription.quote(binding.path)]
        let standard = UNIXBinding(path: "")
        if binding.mode != standard.mode { parts.append("mode=\(String(binding.mode, radix: 8))") }
        if !binding.wantsLock { parts.append("lockfile=0") }
        if binding.backlog != standard.backlog { parts.append("backlog=\(binding.backlog)") }
        if let connectionsMax = binding.connectionsMax { parts.append("connectionsMax=\(connectionsMax)") }
        return parts.joined(separator: ":")
    }
}

/// A listening socket that another process has opened and handed down, by its descriptor. It can be used once.
///
/// Twisted: `AdoptedStreamServerEndpoint`.
public struct AdoptedServerEndpoint: StreamServerEndpoint {
    /// The socket's descriptor; it belongs to the reactor as soon as that listens.
    public let descriptor: Int32

    /// An endpoint for a descriptor.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    public func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort {
        try reactor.adoptStreamPort(descriptor, factory: factory)
    }

    public var description: String { "fd:\(descriptor)" }
}
