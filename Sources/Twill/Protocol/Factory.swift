public import Logging

/// Makes a protocol for each connection, and holds what they share.
///
/// ```swift
/// try reactor.listenTCP(port: 8007, factory: Factory { Echo() })
/// ```
///
/// Protocols that share state take a subclass:
///
/// ```swift
/// final class Chat: Factory {
///     var members: [ChatMember] = []
///     override func buildProtocol(_ address: Address) -> Protocol? { ChatMember(self) }
/// }
///
/// final class ChatMember: Protocol {
///     let chat: Chat
///     init(_ chat: Chat) {
///         self.chat = chat
///         super.init()
///     }
/// }
/// ```
///
/// # Contract
/// - `startFactory` comes before the first connection of the first port or connector that uses the factory, `stopFactory` after the last of
///   them is gone; one factory may serve several ports.
/// - `buildProtocol` is called once for each connection. Returning nil refuses it: the connection is closed and no event follows.
/// - Everything happens on the reactor's thread.
///
/// Twisted: `Factory`, `ServerFactory`; `Factory { … }` is `Factory.forProtocol`.
open class Factory {
    private let makeProtocol: ((Address) throws -> Protocol?)?

    /// How many ports and connectors use the factory now. Twisted: `numPorts`.
    public final private(set) var userCount = 0

    /// Where the ports and connectors log; nil until the first of them has come.
    final private(set) var logger: Logger?

    /// Whether starting and stopping are logged. Twisted: `noisy`.
    public final var isNoisy = false

    /// How log lines name this factory; its type unless overridden. Twisted: `logPrefix`.
    open var logPrefix: String { "\(type(of: self))" }

    /// Makes a factory whose subclass overrides ``buildProtocol(_:)``.
    public init() {
        makeProtocol = nil
    }

    /// Makes a factory that calls a closure for each connection.
    public init(_ makeProtocol: @escaping () throws -> Protocol) {
        self.makeProtocol = { _ in try makeProtocol() }
    }

    /// Makes a factory that calls a closure with each connection's peer; returning nil refuses the connection.
    public init(_ makeProtocol: @escaping (Address) throws -> Protocol?) {
        self.makeProtocol = makeProtocol
    }

    /// Called for each connection with its peer's address: returns the protocol that shall handle it, or nil to refuse.
    ///
    /// A thrown error is logged and refuses the connection too.
    open func buildProtocol(_ address: Address) throws -> Protocol? {
        try makeProtocol?(address)
    }

    /// Called before the first connection, when the first port or connector takes the factory into use.
    open func startFactory() throws {}

    /// Called after the last port or connector has let the factory go.
    open func stopFactory() throws {}

    /// Counts one more user and calls ``startFactory()`` for the first. Ports and connectors call it.
    ///
    /// Where `startFactory` throws, the factory stays unused.
    public final func doStart(logger: Logger? = nil) throws {
        self.logger = logger ?? self.logger
        if userCount == 0 {
            if isNoisy { logger?.info("Starting factory \(logPrefix)") }
            try startFactory()
        }
        userCount += 1
    }

    /// Counts one user less and calls ``stopFactory()`` after the last. More calls than ``doStart(logger:)`` are ignored.
    public final func doStop(logger: Logger? = nil) throws {
        guard userCount > 0 else { return }
        userCount -= 1
        if userCount == 0 {
            if isNoisy { logger?.info("Stopping factory \(logPrefix)") }
            try stopFactory()
        }
    }

    /// The protocol for one connection, bound to this factory.
    package final func protocolForConnection(from address: Address) throws -> Protocol? {
        guard let made = try buildProtocol(address) else { return nil }
        guard made.isUnused else { throw ProtocolReuse(name: made.logPrefix) }
        // A factory that has another one make its protocols is not their own.
        if made.factory == nil { made.factory = self }
        return made
    }
}
