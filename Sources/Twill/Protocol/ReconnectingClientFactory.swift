import Logging

/// A client that connects again, after a failed attempt and after a lost connection, and waits longer each time.
///
/// ```swift
/// final class Uplink: ReconnectingClientFactory {
///     override func buildProtocol(_ address: Address) -> Protocol? { Greeting() }
/// }
/// try reactor.connectTCP(host: "hub.example.com", port: 8007, factory: Uplink())
/// ```
///
/// # Contract
/// - Each end calls ``retry(_:)``, which connects again after the next wait of ``backoff``.
/// - A connection that has lasted ``stableAfter`` makes the waits short again. Where your protocol knows earlier that all is well, after a log-in for
///   example, call ``resetDelay()`` there.
/// - An attempt that was cancelled is not made again, and nothing is once the reactor stops.
/// - `startFactory` and `stopFactory` surround each attempt with its connection: during a wait nothing uses the factory.
/// - One factory is for one connector: two would share their waits.
///
/// An override of `clientConnectionFailed` or `clientConnectionLost` calls `super`, or it is the end of trying.
///
/// Twisted: `ReconnectingClientFactory`, which goes on with the long waits until `resetDelay` is called.
open class ReconnectingClientFactory: ClientFactory {
    /// How long to wait before the next attempt. A change holds from the next wait on.
    public final var backoff = Backoff()

    /// How many attempts may follow each other without success; nil for any number. Twisted: `maxRetries`.
    public final var maxRetries: Int?

    /// How long a connection has to last to count as a success; nil leaves that to your own calls of ``resetDelay()``.
    public final var stableAfter: Duration? = .seconds(60)

    /// How many attempts followed each other since the last success. Twisted: `retries`.
    public final private(set) var retries = 0

    /// Whether another attempt follows when this one, or the connection, ends. Twisted: `continueTrying`.
    public final private(set) var isTrying = true

    /// Who connects now, or will: held by the attempt, by the connection, or by the wait.
    private final weak var connector: Connector?
    private final var nextAttempt: DelayedCall?
    private final var stability: DelayedCall?

    /// When the next attempt will be made; nil where none is waited for.
    public final var nextAttemptTime: ReactorClock.Instant? { nextAttempt?.time }

    /// Counts the success, and makes the waits short again; called by your protocol when all is well. It also undoes ``stopTrying()``.
    public final func resetDelay() {
        backoff.reset()
        retries = 0
        isTrying = true
    }

    /// Stops trying: the wait ends, an attempt under way is cancelled. A connection goes on, and its end is the end.
    public final func stopTrying() {
        isTrying = false
        if let connector, connector.state == .connecting { try? connector.stopConnecting() }
        nextAttempt?.cancelIfActive()
        nextAttempt = nil
    }

    /// Connects again after a wait; called when an attempt failed or a connection was lost. Does nothing while it waits already, after
    /// ``stopTrying()``, and when all ``maxRetries`` were made.
    public final func retry(_ connector: Connector) {
        guard isTrying, nextAttempt == nil else { return }
        let reactor = connector.reactor
        if let maxRetries, retries >= maxRetries {
            reactor.logger.warning("\(logPrefix) gives up on \(connector.destination) after \(retries) retries")
            return
        }
        retries += 1
        let wait = backoff.next(using: &reactor.randomNumbers)
        self.connector = connector
        reactor.logger.log(
            level: isNoisy ? .info : .debug, "\(logPrefix) will connect to \(connector.destination) again in \(wait)")
        nextAttempt = reactor.callLater(wait) { [weak self] in
            self?.nextAttempt = nil
            try connector.connect()
        }
    }

    open override func startedConnecting(_ connector: Connector) throws {
        self.connector = connector
    }

    open override func connectionMade(_ connector: Connector) throws {
        guard let stableAfter else { return }
        stability = connector.reactor.callLater(stableAfter) { [weak self] in
            self?.stability = nil
            self?.resetDelay()
        }
    }

    open override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        ended(connector, final: reason == .cancelled)
    }

    open override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        ended(connector, final: reason == .reactorStopped)
    }

    private final func ended(_ connector: Connector, final isFinal: Bool) {
        stability?.cancelIfActive()
        stability = nil
        if !isFinal { retry(connector) }
    }
}
