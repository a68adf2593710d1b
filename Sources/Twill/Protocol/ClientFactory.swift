import Logging

/// Makes the protocols of outgoing connections, and hears how connecting went.
///
/// ```swift
/// final class Once: ClientFactory {
///     override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { print(reason) }
/// }
/// try reactor.connectTCP(host: "127.0.0.1", port: 8007, factory: Once { Greeting() })
/// ```
///
/// # Contract
/// - `startedConnecting` for each attempt, then either `clientConnectionFailed`, or a protocol's life followed by `clientConnectionLost`.
/// - The protocol hears of a loss first, then the factory, then `stopFactory` if nothing else uses it.
/// - Calling `connector.connect()` inside `clientConnectionFailed` or `clientConnectionLost` tries again, and `stopFactory` is not called.
/// - Everything happens on the reactor's thread, and never inside the call that caused it.
///
/// Twisted: `ClientFactory`.
open class ClientFactory: Factory {
    /// Called when an attempt to connect begins; a place to keep the connector, or to call its `stopConnecting()`.
    open func startedConnecting(_ connector: Connector) throws {}

    /// Called when an attempt failed; no protocol was made, or `buildProtocol` threw. Logs a warning with the reason, unless overridden.
    open func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        connector.reactor.logger.warning("\(reason)")
    }

    /// Called when a connection is made, after the protocol's own `connectionMade`; also where `buildProtocol` has refused it. Twisted has no such thing.
    open func connectionMade(_ connector: Connector) throws {}

    /// Called after the protocol's own `connectionLost`.
    open func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {}
}
