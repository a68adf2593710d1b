extension StreamServerEndpoint {
    /// The same place with a layer in it, between the connections and whoever is served: each factory that listens there is wrapped in another one.
    ///
    /// ```swift
    /// let endpoint = try serverFromString("tcp:8007")
    /// let patient = endpoint.wrapped(as: "idle:\(endpoint)") { TimeoutFactory(wrapping: $0, timeout: .seconds(60)) }
    /// ```
    ///
    /// - Parameters:
    ///   - description: what the new endpoint is called.
    ///   - reload: reads anew what the layer was made of; see ``reload()``.
    ///   - wrap: makes the factory that listens of the one that was given; called once for each port.
    public func wrapped(
        as description: String, reloadedBy reload: @escaping @Sendable () throws -> Void = {},
        by wrap: @escaping @Sendable (Factory) throws -> Factory
    ) -> any StreamServerEndpoint {
        LayeredServerEndpoint(inner: self, ownReload: reload, wrap: wrap, description: description)
    }
}

extension StreamClientEndpoint {
    /// The same place with a layer in it, between the connections and whoever uses them: each factory that connects there is wrapped in another one.
    ///
    /// - Parameters:
    ///   - description: what the new endpoint is called.
    ///   - wrap: makes the factory that connects of the one that was given; called once for each connector.
    public func wrapped(
        as description: String, by wrap: @escaping @Sendable (ClientFactory) throws -> ClientFactory
    ) -> any StreamClientEndpoint {
        LayeredClientEndpoint(inner: self, wrap: wrap, description: description)
    }
}

private struct LayeredServerEndpoint: StreamServerEndpoint {
    let inner: any StreamServerEndpoint
    let ownReload: @Sendable () throws -> Void
    let wrap: @Sendable (Factory) throws -> Factory
    let description: String

    func listen(_ factory: Factory, on reactor: any Reactor) throws -> any ListeningPort {
        try inner.listen(wrap(factory), on: reactor)
    }

    func reload() throws {
        try inner.reload()
        try ownReload()
    }
}

private struct LayeredClientEndpoint: StreamClientEndpoint {
    let inner: any StreamClientEndpoint
    let wrap: @Sendable (ClientFactory) throws -> ClientFactory
    let description: String

    func connect(_ factory: ClientFactory, on reactor: any Reactor) throws -> Connector {
        try inner.connect(wrap(factory), on: reactor)
    }
}
