import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One attempt of a connector to reach its target: look the name up, race its addresses as `HappyEyeballs` says, give up in time.
///
/// It ends once: connected, failed or cancelled; from then on it begins nothing. The reactor keeps it until then.
final class SimulatedDialer {
    /// Where to connect to.
    enum Place {
        case name(String, UInt16)
        case address(Address)
        case invalid
    }

    let loop: SimulatedReactor
    private let place: Place
    private let options: TransportOptions
    private let timeout: Duration
    private let local: Address?
    private let connector: Connector
    /// Where it connects to, as it was asked for.
    var destination: String { connector.destination }
    private var order = HappyEyeballs([])
    private var sockets: [SimulatedSocket] = []
    private var failures: [ConnectError.Failure] = []
    private var headStart: DelayedCall?
    private var deadline: DelayedCall?
    private var cancelLookup: (() -> Void)?
    private(set) var isOver = false

    init(
        loop: SimulatedReactor, place: Place, from local: Address? = nil, options: TransportOptions, timeout: Duration, connector: Connector
    ) {
        self.loop = loop
        self.place = place
        self.local = local
        self.options = options
        self.timeout = timeout
        self.connector = connector
    }

    /// Begins; the outcome is told on a later turn.
    func start() {
        guard !loop.isShuttingDown else { return cancel() }
        deadline = loop.callLater(timeout) { [weak self] in self?.fail(.timedOut) }
        switch place {
        case .invalid: fail(.failed, because: SystemError(call: "connect", errno: EINVAL))
        case .address(let address): race([address])
        case .name(let name, let port):
            cancelLookup = loop.resolver.resolve(name, on: loop) { [self] found in
                cancelLookup = nil
                guard !isOver else { return }
                switch found {
                case .success(let addresses) where !addresses.isEmpty: race(addresses.map { $0.with(port: port) })
                case .success: fail(.unknownHost, because: ResolveError(name: name, message: "it has no IP address"))
                case .failure(let error): fail(.unknownHost, because: error)
                }
            }
        }
    }

    /// Gives up; the factory hears of it as of any other failure.
    func cancel() {
        fail(.cancelled)
    }

    private func race(_ addresses: [Address]) {
        order = HappyEyeballs(addresses)
        go(order.timePassed())
    }

    private func go(_ action: HappyEyeballs.Action) {
        headStart?.cancelIfActive()
        headStart = nil
        guard !isOver else { return }
        switch action {
        case .wait: break
        case .giveUp: fail(.allFailed(failures))
        case .attempt(let address, let othersRemain):
            sockets.append(loop.dial(address, from: local, for: self))
            guard othersRemain else { return }
            headStart = loop.callLater(HappyEyeballs.headStart) { [weak self] in
                guard let self else { return }
                go(order.timePassed())
            }
        }
    }

    /// An address has answered that nobody is there, or the host itself has no means to ask.
    func refused(_ socket: SimulatedSocket, _ errno: CInt, by call: String = "connect") {
        guard !isOver else { return }
        socket.note(.refused)
        sockets.removeAll { $0 === socket }
        failures.append(ConnectError.Failure(address: socket.remote, error: SystemError(call: call, errno: errno)))
        loop.perform { go(order.attemptFailed()) }
    }

    /// An address has answered that it is connected.
    func connected(_ socket: SimulatedSocket) {
        sockets.removeAll { $0 === socket }
        end()
        loop.perform { loop.connected(socket, options, connector) }
    }

    private func fail(_ error: ConnectError, because cause: (any Error)? = nil) {
        guard !isOver else { return }
        end()
        loop.later { [connector, failures] in
            connector.connectionFailed(error.to(connector.destination, because: cause, failures: failures))
        }
    }

    /// Its process is gone; nobody is told.
    func die() {
        guard !isOver else { return }
        end()
    }

    private func end() {
        isOver = true
        cancelLookup?()
        cancelLookup = nil
        for socket in sockets { socket.reset() }
        sockets = []
        headStart?.cancelIfActive()
        headStart = nil
        deadline?.cancelIfActive()
        deadline = nil
        loop.forget(self)
    }
}
