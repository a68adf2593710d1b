#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One attempt of a ``Connector`` to reach its target: look the name up, try its addresses one after another, give up in time.
///
/// It ends once: connected, failed or cancelled. The reactor keeps it until then.
final class SocketDialer {
    private let loop: LibeventReactor
    private let target: TCPTarget
    private let connector: Connector
    private var addresses: ArraySlice<Address> = []
    private var socket: Socket?
    private var address = Address.unknown
    private var event: Event?
    private var deadline: DelayedCall?
    private var lastFailure: ConnectError?
    private var isOver = false

    init(loop: LibeventReactor, target: TCPTarget, connector: Connector) {
        self.loop = loop
        self.target = target
        self.connector = connector
    }

    /// Begins; the outcome is told on a later turn.
    func start() {
        // Who connects again because the reactor stops would keep it from ending.
        guard !loop.isShuttingDown else { return cancel() }
        guard let port = UInt16(exactly: target.port), port > 0 else {
            return fail(.failed.to(target.description, because: SystemError(call: "connect", errno: EINVAL)))
        }
        deadline = loop.callLater(target.timeout) { [self] in fail(.timedOut.to(target.description)) }
        if let address = Address(host: target.host, port: port) {
            return begin([address])
        }
        let name = target.host
        loop.deferToThread { try NameResolver.addresses(of: name, port: port) }.addBoth { [self] found in
            switch found {
            case .success(let addresses): begin(addresses)
            case .failure(let error): fail(.unknownHost.to(target.description, because: error))
            }
        }
    }

    /// Gives up; the factory hears of it as of any other failure.
    func cancel() {
        fail(.cancelled.to(target.description))
    }

    private func begin(_ addresses: [Address]) {
        guard !isOver else { return }
        self.addresses = addresses[...]
        tryNext()
    }

    private func tryNext() {
        closeSocket()
        guard let address = addresses.popFirst() else {
            return fail(lastFailure ?? .failed.to(target.description))
        }
        self.address = address
        do throws(SystemError) {
            let socket = try Socket.stream(for: address)
            self.socket = socket
            try socket.apply(target.options)
            if let local = target.bindAddress {
                do throws(SystemError) {
                    try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
                    try socket.bind(to: local)
                } catch {
                    return fail(.cannotBind.to(target.description, because: error))
                }
            }
            try socket.connect(to: address)
            let event = unsafe try Event(
                base: loop.base, descriptor: socket.descriptor, interest: .write,
                callback: { _, _, context in
                    guard let context = unsafe context else { return }
                    // The reactor's list of dialers keeps this one until it is over, and its event goes first.
                    unsafe Unmanaged<SocketDialer>.fromOpaque(context).takeUnretainedValue().settled()
                },
                context: Unmanaged.passUnretained(self).toOpaque())
            try event.add()
            self.event = consume event
        } catch {
            noteFailure(error)
            tryNext()
        }
    }

    private func noteFailure(_ error: SystemError) {
        let kind: ConnectError =
            switch error.errno {
            case ECONNREFUSED: .refused
            case ETIMEDOUT: .timedOut
            case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN: .unreachable
            default: .failed
            }
        lastFailure = kind.to(target.description, because: error)
    }

    /// The socket became writable: it is connected, or the attempt failed.
    private func settled() {
        loop.beginCallback()
        guard let socket, !isOver else { return }
        let error = socket.pendingError
        guard error == 0 else {
            noteFailure(SystemError(call: "connect", errno: error))
            return tryNext()
        }
        self.socket = nil
        end()
        loop.outgoing.count { $0.connected += 1 }
        let transport = SocketTransport(
            loop: loop, socket: socket, peer: address, settings: SocketTransport.Settings(target.options, counters: loop.outgoing),
            connector: connector)
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
        closeSocket()
        deadline?.cancelIfActive()
        deadline = nil
        loop.forget(self)
    }

    private func closeSocket() {
        event = nil
        socket?.close()
        socket = nil
    }
}
