import Logging
public import Twill

/// Keeps one connection up: connects, prepares the connection, connects again when it is lost, and waits longer each time that fails.
///
/// ```swift
/// let hub = ClientService(try clientFromString("tcp:hub.example.com:8007"), factory: Factory { Greeting() })
/// try services.add(hub)
/// hub.whenConnected().addCallback { handler in (handler as? Greeting)?.sendLine("how are you?") }
/// ```
///
/// # Contract
/// - It connects when it starts, and again after each failure or loss, after a wait of its ``backoff``. A connection that is ready makes the waits short again.
/// - A connection is ready when `prepareConnection` is done with it. Where that fails, the connection is closed, and counts as a failed attempt.
/// - Stopping gives up the attempt, or the wait, or closes the connection after its output was sent, and waits for its end. Whoever waits in
///   ``whenConnected(failAfterFailures:)`` then fails with ``/Twill/DeferredError/cancelled``.
/// - One that is started again while it stops connects when it has stopped.
///
/// Twisted: `ClientService`, which leaves a connection open that could not be prepared.
public final class ClientService: Service {
    /// Where the connection stands.
    public enum Connectivity: Sendable {
        /// It does not run.
        case stopped
        /// An attempt is under way, or its connection is being prepared.
        case connecting
        /// The connection is ready.
        case connected
        /// It waits before the next attempt.
        case waiting
        /// A connection is being closed: it could not be prepared, or the service stops.
        case disconnecting
    }

    /// Makes a connection ready to be used: logs in, for example. What it returns is waited for; nil where it is ready at once.
    public typealias Preparation = (Protocol) throws -> Deferred<Void>?

    /// Where it connects to.
    public let endpoint: any StreamClientEndpoint

    /// How long it waits after a failure or a loss: a second at first, half as much again each time, a minute at the most, and up to a fifth more or
    /// less. A change holds from the next wait on.
    public var backoff = Backoff(initialDelay: .seconds(1), maxDelay: .seconds(60), factor: 1.5, jitter: 0.2)

    /// Called when ``connectivity`` has changed, with what it is now.
    public var connectivityChanged: ((Connectivity) -> Void)?

    private let factory: Factory
    private let prepareConnection: Preparation?
    private var machine = ClientServiceState()
    private lazy var attempts = Attempts(for: self, wrapping: factory)
    private var connector: Connector?
    /// The protocol of the connection that there is.
    private var handler: Protocol?
    private var preparation: Deferred<Void>?
    private var timer: DelayedCall?
    private var waiting: [Waiter] = []
    private var ended: Deferred<Void>?
    private var lastTold = Connectivity.stopped
    private var wasStopped = false

    private struct Waiter {
        let outcome: Deferred<Protocol>
        /// How many failures it still bears; nil for any number.
        var patience: Int?
    }

    /// Makes a service that connects when it starts.
    ///
    /// - Parameters:
    ///   - endpoint: where it connects to.
    ///   - factory: makes the protocol of each connection; where it refuses, that is a failed attempt.
    ///   - name: by which its parent finds it; nil for none.
    ///   - prepareConnection: makes a connection ready.
    public init(
        _ endpoint: any StreamClientEndpoint, factory: Factory, name: String? = nil, prepareConnection: Preparation? = nil
    ) {
        self.endpoint = endpoint
        self.factory = factory
        self.prepareConnection = prepareConnection
        super.init(name: name)
    }

    public override var logPrefix: String { name ?? "\(endpoint)" }

    /// How many attempts have failed since the last success.
    public var failedAttempts: Int { machine.failedAttempts }

    /// Where the connection stands.
    public var connectivity: Connectivity {
        switch machine.phase {
        case .stopped: .stopped
        case .connecting, .preparing: .connecting
        case .connected: .connected
        case .waiting: .waiting
        case .discarding, .stopping: .disconnecting
        }
    }

    /// The protocol of the connection, as soon as that is ready: at once where it is.
    ///
    /// - Parameter failAfterFailures: after how many failed attempts from now on it fails with the error of the last; nil for never.
    /// - Returns: fails with ``/Twill/DeferredError/cancelled`` when the service is stopped, and at once where it has been. One that has not been
    ///   started yet is waited for. Cancelling it ends the waiting and nothing else.
    ///
    /// Twisted: `whenConnected`.
    public func whenConnected(failAfterFailures: Int? = nil) -> Deferred<Protocol> {
        if machine.phase == .connected, let handler { return .succeed(handler) }
        if wasStopped, machine.phase == .stopped || machine.phase == .stopping { return .fail(DeferredError.cancelled) }
        let outcome = Deferred<Protocol>(canceller: { [weak self] given in self?.waiting.removeAll { $0.outcome === given } })
        waiting.append(Waiter(outcome: outcome, patience: failAfterFailures.map { max(1, $0) }))
        return outcome
    }

    public override func startService() throws {
        wasStopped = false
        backoff.reset()
        take(.start)
    }

    public override func stopService() throws -> Deferred<Void>? {
        wasStopped = true
        let ended = Deferred<Void>(canceller: { _ in })
        self.ended = ended
        take(.stop)
        return ended
    }

    // The machine's events and actions.

    fileprivate func take(_ event: ClientServiceState.Event) {
        let actions = machine.take(event)
        for action in actions { perform(action) }
        let connectivity = connectivity
        guard connectivity != lastTold else { return }
        lastTold = connectivity
        connectivityChanged?(connectivity)
    }

    private func perform(_ action: ClientServiceState.Action) {
        switch action {
        case .connect: connect()
        case .cancelAttempt, .disconnect: connector?.disconnect()
        case .prepare: prepare()
        case .cancelPreparation: preparation.take()?.cancel()
        case .tellConnected: tellConnected()
        case .tellFailed(let error): tellFailed(error)
        case .tellStopped: tellAll(.failure(DeferredError.cancelled))
        case .wait: wait()
        case .cancelWait:
            timer?.cancelIfActive()
            timer = nil
        case .ended: try? ended.take()?.succeed(())
        }
    }

    private func connect() {
        do {
            connector = try endpoint.connect(attempts, on: reactor)
        } catch {
            // On a later turn, as every other failure.
            reactor.callLater(.zero) { self.take(.failed(error)) }
        }
    }

    private func prepare() {
        guard let handler else { return take(.refused(NoProtocol())) }
        guard let prepareConnection else { return take(.prepared) }
        do {
            guard let preparation = try prepareConnection(handler) else { return take(.prepared) }
            self.preparation = preparation
            preparation.addBoth { [weak self, weak handler] result in
                // Of a connection that is gone, nobody wants to know.
                guard let self, let handler, self.handler === handler, self.preparation === preparation else { return }
                self.preparation = nil
                switch result {
                case .success: take(.prepared)
                case .failure(let error): take(.refused(error))
                }
            }
        } catch {
            take(.refused(error))
        }
    }

    private func wait() {
        let delay = backoff.next(using: &reactor.randomNumbers)
        reactor.logger.debug("\(logPrefix) will connect again in \(delay)")
        timer = reactor.callLater(delay) { [weak self] in
            self?.timer = nil
            self?.take(.due)
        }
    }

    private func tellConnected() {
        backoff.reset()
        if let handler { tellAll(.success(handler)) }
    }

    private func tellAll(_ result: Result<Protocol, any Error>) {
        let told = waiting
        waiting = []
        for waiter in told where !waiter.outcome.hasFired { try? waiter.outcome.fire(result) }
    }

    private func tellFailed(_ error: any Error) {
        reactor.logger.notice("\(logPrefix) could not be connected to: \(error)")
        var told: [Deferred<Protocol>] = []
        waiting = waiting.compactMap { waiter in
            guard let patience = waiter.patience else { return waiter }
            if patience == 1 { told.append(waiter.outcome) }
            return patience == 1 ? nil : Waiter(outcome: waiter.outcome, patience: patience - 1)
        }
        for outcome in told where !outcome.hasFired { try? outcome.fail(error) }
    }

    fileprivate func made(_ handler: Protocol?) {
        self.handler = handler
        take(.made)
    }

    fileprivate func failed(_ error: any Error) {
        connector = nil
        take(.failed(error))
    }

    fileprivate func lost(_ error: any Error) {
        handler = nil
        connector = nil
        take(.lost(error))
    }
}

/// Makes the protocols of one service's connections, and tells the service how connecting goes.
private final class Attempts: WrappingFactory {
    private unowned let service: ClientService
    private var made: Protocol?

    init(for service: ClientService, wrapping factory: Factory) {
        self.service = service
        super.init(wrapping: factory)
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        made = try wrapped.protocolForConnection(from: address)
        return made
    }

    override func connectionMade(_ connector: Connector) throws {
        try super.connectionMade(connector)
        service.made(made.take())
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        made = nil
        try super.clientConnectionFailed(connector, reason)
        service.failed(reason)
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        try super.clientConnectionLost(connector, reason)
        service.lost(reason)
    }
}
