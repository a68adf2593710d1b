#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One attempt of a ``Connector`` to reach its target: look the name up, race its addresses as ``HappyEyeballs`` says, give up in time.
///
/// It ends once: connected, failed or cancelled; from then on it begins nothing. The reactor keeps it until then.
final class SocketDialer {
    /// A socket that is connecting.
    private final class Attempt {
        let dialer: SocketDialer
        let address: Address
        let socket: Socket
        var event: Event?

        init(_ dialer: SocketDialer, _ address: Address) throws(SystemError) {
            self.dialer = dialer
            self.address = address
            socket = try Socket.stream(for: address)
        }

        /// Gives the socket up.
        func close() {
            event = nil
            socket.close()
        }
    }

    private static let pauseBeforeRetry = Duration.milliseconds(10)

    private let loop: LibeventReactor
    private let target: DialTarget
    private let connector: Connector
    private var order = HappyEyeballs([])
    private var attempts: [Attempt] = []
    private var failures: [ConnectError.Failure] = []
    private var headStart: DelayedCall?
    private var deadline: DelayedCall?
    private var cancelLookup: (() -> Void)?
    private var isOver = false

    init(loop: LibeventReactor, target: DialTarget, connector: Connector) {
        self.loop = loop
        self.target = target
        self.connector = connector
    }

    /// Begins; the outcome is told on a later turn.
    func start() {
        // Who connects again because the reactor stops would keep it from ending.
        guard !loop.isShuttingDown else { return cancel() }
        deadline = loop.callLater(target.timeout) { [self] in fail(.timedOut.to(target.description, failures: failures)) }
        switch target.place {
        case .invalid(let error): fail(.failed.to(target.description, because: error))
        case .address(let address): race([address])
        case .name(let name, let port):
            cancelLookup = loop.resolver.resolve(name, on: loop) { [self] found in
                cancelLookup = nil
                guard !isOver else { return }
                switch found {
                case .success(let addresses) where !addresses.isEmpty: race(addresses.map { $0.with(port: port) })
                case .success:
                    fail(.unknownHost.to(target.description, because: ResolveError(name: name, message: "it has no IP address")))
                case .failure(let error): fail(.unknownHost.to(target.description, because: error))
                }
            }
        }
    }

    /// Gives up; the factory hears of it as of any other failure.
    func cancel() {
        fail(.cancelled.to(target.description))
    }

    private func race(_ addresses: [Address]) {
        order = HappyEyeballs(addresses)
        go(order.timePassed())
    }

    private func go(_ first: HappyEyeballs.Action) {
        headStart?.cancelIfActive()
        headStart = nil
        var action = first
        while !isOver {
            switch action {
            case .wait: return
            case .giveUp: return fail(ConnectError.allFailed(failures).to(target.description, failures: failures))
            case .attempt(let address, let othersRemain):
                do throws(SystemError) {
                    try begin(address)
                    if othersRemain, !isOver {
                        headStart = loop.callLater(HappyEyeballs.headStart) { [self] in go(order.timePassed()) }
                    }
                    return
                } catch {
                    if case .unix = address, error.errno == EAGAIN {
                        // Its queue is full, which the system does not wait for.
                        headStart = loop.callLater(Self.pauseBeforeRetry) { [self] in race([address]) }
                        return
                    }
                    failures.append(ConnectError.Failure(address: address, error: error))
                    action = order.attemptFailed()
                }
            }
        }
    }

    private func begin(_ address: Address) throws(SystemError) {
        let attempt = try Attempt(self, address)
        do throws(SystemError) {
            try attempt.socket.apply(target.options, for: address)
            if let local = target.bindAddress { try bind(attempt, to: local) }
            guard !isOver else { return attempt.close() }
            try attempt.socket.connect(to: address)
            let event = unsafe try Event(
                base: loop.base, descriptor: attempt.socket.descriptor, interest: .write,
                callback: { _, _, context in
                    guard let context = unsafe context else { return }
                    // The dialer's list of attempts keeps this one until its event is gone.
                    let attempt = unsafe Unmanaged<Attempt>.fromOpaque(context).takeUnretainedValue()
                    attempt.dialer.settled(attempt)
                },
                context: Unmanaged.passUnretained(attempt).toOpaque())
            try event.add()
            attempt.event = consume event
            attempts.append(attempt)
        } catch {
            attempt.close()
            throw error
        }
    }

    private func bind(_ attempt: Attempt, to local: Address) throws(SystemError) {
        do throws(SystemError) {
            try attempt.socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
            try attempt.socket.bind(to: local)
        } catch {
            // No other address would help.
            fail(.cannotBind.to(target.description, because: error))
        }
    }

    /// The socket became writable: it is connected, or the attempt failed.
    private func settled(_ attempt: Attempt) {
        loop.beginCallback()
        guard !isOver else { return }
        attempts.removeAll { $0 === attempt }
        let error = attempt.socket.pendingError
        guard error == 0 else {
            attempt.close()
            failures.append(ConnectError.Failure(address: attempt.address, error: SystemError(call: "connect", errno: error)))
            return go(order.attemptFailed())
        }
        attempt.event = nil
        end()
        loop.outgoing.count { $0.connected += 1 }
        let transport = SocketTransport(
            loop: loop, socket: attempt.socket, peer: attempt.address,
            settings: SocketTransport.Settings(target.options, counters: loop.outgoing), connector: connector)
        loop.connected(transport, connector)
        loop.endCallback()
    }

    private func fail(_ error: ConnectError) {
        guard !isOver else { return }
        end()
        loop.later { [connector] in connector.connectionFailed(error) }
    }

    private func end() {
        isOver = true
        cancelLookup?()
        cancelLookup = nil
        for attempt in attempts {
            attempt.close()
        }
        attempts = []
        headStart?.cancelIfActive()
        headStart = nil
        deadline?.cancelIfActive()
        deadline = nil
        loop.forget(self)
    }
}
