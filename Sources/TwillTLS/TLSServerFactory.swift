import Logging
public import Twill

/// Lets the connections of a factory speak TLS, as a server.
///
/// ```swift
/// let context = try TLSServerContext(certificateFile: "server.pem", keyFile: "server.key")
/// try reactor.listenTCP(port: 443, factory: TLSServerFactory(wrapping: Factory { Echo() }, context: context))
/// ```
///
/// Any factory can be wrapped, and any transport be below: TCP, UNIX, behind a proxy, simulated. See <doc:UsingTLS> for the same as an endpoint.
///
/// # Contract
/// - The factory inside is asked for a protocol when the connection comes, so that limits hold for those who are still shaking hands; its
///   `connectionMade` comes after the handshake.
/// - A handshake that fails is one line in the log and one call of ``whenHandshakeFailed``. The protocol was never connected, and hears nothing.
/// - A handshake has ``TLSServerOptions/handshakeTimeout`` in all. No more than ``TLSServerOptions/handshakesMax`` are under way at once, and no more than 16
///   of a reactor's take a step on one turn: a crowd of clients does not hold up those that are connected.
///
/// Twisted: `TLSMemoryBIOFactory`.
public final class TLSServerFactory: WrappingFactory {
    /// What its connections have in common.
    public let context: TLSServerContext
    /// Called after each handshake that has failed, with the peer's address and the reason; on the reactor's thread.
    public var whenHandshakeFailed: ((Address, TLSError) -> Void)?
    /// How many handshakes are under way.
    public private(set) var handshakeCount = 0
    /// How many handshakes were completed.
    public private(set) var completedCount = 0
    /// How many handshakes have failed.
    public private(set) var failedCount = 0

    private var waiting: [TLSServerRole] = []
    private var firstWaiting = 0

    /// Lets the connections of a factory speak TLS.
    public init(wrapping wrapped: Factory, context: TLSServerContext) {
        self.context = context
        super.init(wrapping: wrapped)
    }

    public override func buildProtocol(_ address: Address) throws -> Protocol? {
        guard let made = try wrapped.protocolForConnection(from: address) else { return nil }
        return TLSServerRole.protocolFor(made, context: context, role: TLSServerRole(self, peer: address))
    }

    fileprivate func take(_ role: TLSServerRole) -> Bool {
        guard handshakeCount < context.options.handshakesMax else {
            waiting.append(role)
            return false
        }
        handshakeCount += 1
        return true
    }

    fileprivate func ended(_ role: TLSServerRole, _ error: TLSError?, on reactor: any Reactor) {
        if role.hasSeat {
            handshakeCount -= 1
            letNextBegin()
        }
        guard let error else {
            completedCount += 1
            return
        }
        failedCount += 1
        // A stop of this side's own is nobody's failure.
        if error != .cancelled {
            reactor.logger.warning("\(logPrefix): the TLS handshake with \(role.peer) failed: \(error)")
        }
        whenHandshakeFailed?(role.peer, error)
    }

    private func letNextBegin() {
        while firstWaiting < waiting.count, handshakeCount < context.options.handshakesMax {
            let next = waiting[firstWaiting]
            firstWaiting += 1
            if next.begin() { handshakeCount += 1 }
        }
        if firstWaiting * 2 >= waiting.count {
            waiting.removeFirst(firstWaiting)
            firstWaiting = 0
        }
    }
}

/// The server's part in one handshake.
final class TLSServerRole: TLSRole {
    // Nil where TLS begins in the middle of a connection.
    private let factory: TLSServerFactory?
    let peer: Address
    private(set) var hasSeat = false
    private var isOver = false
    /// Kept until the handshake is over.
    private var connection: TLSProtocol?
    /// Called with what came of the handshake.
    var whenEnded: ((TLSError?) -> Void)?

    init(_ factory: TLSServerFactory?, peer: Address) {
        self.factory = factory
        self.peer = peer
    }

    static func protocolFor(_ handler: Protocol, context: TLSServerContext, role: TLSServerRole) -> TLSProtocol {
        // What a reload changes is for those that come after it.
        let current = context.current
        return TLSProtocol(wrapping: handler, role: role, handshakeTimeout: context.options.handshakeTimeout) { workspace in
            try TLSEngine(current, server: nil, isClient: false, workspace: workspace)
        }
    }

    var isClient: Bool { false }

    func mayBegin(_ connection: TLSProtocol) -> Bool {
        self.connection = connection
        guard let factory else { return true }
        hasSeat = factory.take(self)
        return hasSeat
    }

    /// Begins a handshake that had to wait; false where it is over already.
    fileprivate func begin() -> Bool {
        guard !isOver, let connection else { return false }
        hasSeat = true
        connection.goOn()
        return true
    }

    func refusal(of connection: TLSTransport) -> TLSError? { nil }

    func handshakeEnded(_ error: TLSError?) {
        isOver = true
        if let reactor = connection?.layer?.inner.reactor { factory?.ended(self, error, on: reactor) }
        whenEnded?(error)
        whenEnded = nil
        connection = nil
    }

    func connectionMade(_ layer: TLSTransport) {}
}
