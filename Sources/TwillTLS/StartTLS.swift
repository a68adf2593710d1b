public import Twill

extension Protocol {
    /// Goes on by TLS as the server, from the next byte that arrives or is written: what is written meanwhile is sent when the handshake is over.
    ///
    /// ```swift
    /// final class Mail: LineReceiver {
    ///     let context: TLSServerContext
    ///     init(_ context: TLSServerContext) {
    ///         self.context = context
    ///         super.init()
    ///     }
    ///     override func lineReceived(_ line: Span<UInt8>) throws {
    ///         guard String(repairing: line) == "STARTTLS" else { return }
    ///         sendLine("220 go ahead")
    ///         try startTLS(context)
    ///     }
    /// }
    /// ```
    ///
    /// What was written before leaves before, as it is. Bytes that came with the request and were not read yet count as the peer's first of TLS: nothing
    /// that was sent in the clear can pass for something that was encrypted. A receiver of frames knows them itself; any other protocol hands over what it
    /// has not used.
    ///
    /// The protocol stays the same, `connectionMade` is not called again, and ``/Twill/Protocol/transport`` is a ``TLSTransport``. When the handshake is over, a
    /// ``TLSHandshakeListener`` hears of it. Where it fails, `connectionLost` comes with a ``TLSError`` beneath. Reading goes on where it was paused.
    ///
    /// - Parameter unread: bytes that arrived and were not used.
    /// - Throws: ``TLSUsageError``; `ProducerError/alreadyRegistered` where a producer is registered, which can't know where TLS begins.
    ///
    /// Twisted: `ITLSTransport.startTLS`.
    public func startTLS(_ context: TLSServerContext, unread: [UInt8] = []) throws {
        try startTLS(context, unread: unread) { _ in }
    }

    /// Goes on by TLS as the client; see ``startTLS(_:unread:)``.
    ///
    /// - Parameters:
    ///   - serverName: whom the server's certificate must name.
    ///   - unread: bytes that arrived and were not used.
    /// - Throws: besides, ``TLSError/wrongHost`` for a name that nobody can have, as an empty one; the connection is as it was.
    public func startTLS(_ context: TLSClientContext, serverName: String, unread: [UInt8] = []) throws {
        try startTLS(context, serverName: serverName, unread: unread) { _ in }
    }

    func startTLS(_ context: TLSServerContext, unread: [UInt8], whenEnded: @escaping (TLSError?) -> Void) throws {
        let role = TLSServerRole(nil, peer: transport.peer)
        role.whenEnded = whenEnded
        try begin(TLSServerRole.protocolFor(self, context: context, role: role), unread)
    }

    func startTLS(_ context: TLSClientContext, serverName: String, unread: [UInt8], whenEnded: @escaping (TLSError?) -> Void) throws {
        let role = TLSClientRole(context)
        role.whenEnded = whenEnded
        try begin(try TLSClientRole.protocolFor(self, context: context, serverName: serverName, role: role), unread)
    }

    private func begin(_ shell: TLSProtocol, _ unread: [UInt8]) throws {
        let below = transport
        guard below.state == .connected else { throw TLSUsageError.notConnected }
        // Whoever produces would go on in the clear.
        let nobody = Nobody()
        try below.registerProducer(nobody, streaming: true)
        below.unregisterProducer()
        let layer = try shell.makeLayer(over: below, isMade: true)
        let rest = (self as? FrameReceiver)?.takeUnreadBytes() ?? []
        shell.moveOnto(below)
        below.replaceProtocol(self, by: shell)
        moveOnto(layer)
        below.resumeProducing()
        shell.begin(unread: rest + unread)
    }
}

/// Shows whether a transport has a producer already.
private final class Nobody: Producer {
    func resumeProducing() {}
    func stopProducing() {}
}

extension Connection {
    /// Goes on by TLS as the server, and waits for the end of the handshake; see ``/Twill/Protocol/startTLS(_:unread:)``.
    ///
    /// ```swift
    /// let context = try TLSServerContext(certificateFile: "server.pem", keyFile: "server.key")
    /// for try await line in connection.lines where line == "STARTTLS" {
    ///     try await connection.writeLine("220 go ahead")
    ///     try await connection.startTLS(context)
    ///     break
    /// }
    /// ```
    ///
    /// Bytes that have arrived and were not read count as the peer's first of TLS. No other task may read meanwhile.
    ///
    /// - Throws: ``TLSError`` where the handshake fails, which closes the connection; ``TLSUsageError``; `CancellationError`, which closes it too.
    public nonisolated(nonsending) func startTLS(_ context: TLSServerContext) async throws {
        try await start { whenEnded in try handler.startTLS(context, unread: takeUnreadBytes(), whenEnded: whenEnded) }
    }

    /// Goes on by TLS as the client, and waits for the end of the handshake; see ``startTLS(_:)``.
    ///
    /// - Parameter serverName: whom the server's certificate must name.
    public nonisolated(nonsending) func startTLS(_ context: TLSClientContext, serverName: String) async throws {
        try await start { whenEnded in
            try handler.startTLS(context, serverName: serverName, unread: takeUnreadBytes(), whenEnded: whenEnded)
        }
    }

    private nonisolated(nonsending) func start(_ begin: (_ whenEnded: @escaping (TLSError?) -> Void) throws -> Void) async throws {
        var failure: TLSError?
        try await waitForLayer { wake in
            try begin { error in
                failure = error
                wake()
            }
            followTransport()
        }
        if let failure { throw failure }
    }
}
