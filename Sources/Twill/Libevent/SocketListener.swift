import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A listening socket and its accept loop: bounded, and unable to spin.
///
/// Each readable moment accepts a limited number of connections, so that a flood of them does not starve the others. When descriptors
/// run out it turns a few waiting peers away with the one descriptor it has in reserve, then rests, longer each time, until room appears.
final class SocketListener: ListeningPort {
    /// How many connections one turn accepts.
    private static let acceptsPerTurn = 64
    /// How many waiting peers are turned away at once when descriptors have run out.
    private static let refusalsPerTurn = 16
    private static let shortestRest = Duration.milliseconds(10)
    private static let longestRest = Duration.seconds(1)

    let address: Address
    private(set) var isListening = true
    private let loop: LibeventReactor
    private let socket: Socket
    private let factory: Factory
    private let settings: SocketTransport.Settings
    private var event: Event?
    private var rest: DelayedCall?
    private var nextRest = shortestRest
    /// A descriptor of no use but to be closed when no other is left.
    private var reserve: CInt = -1

    init(loop: LibeventReactor, binding: TCPBinding, factory: Factory) throws {
        let (socket, address) = try Self.open(binding)
        self.loop = loop
        self.socket = socket
        self.address = address
        self.factory = factory
        settings = SocketTransport.Settings(binding.options)
        do {
            let event = unsafe try Event(
                base: loop.base, descriptor: socket.descriptor, interest: [.read, .persist],
                callback: { _, _, context in
                    guard let context = unsafe context else { return }
                    // The reactor's list of ports keeps the listener for as long as its event is in the loop.
                    unsafe Unmanaged<SocketListener>.fromOpaque(context).takeUnretainedValue().acceptWaiting()
                },
                context: Unmanaged.passUnretained(self).toOpaque())
            try event.add()
            try factory.doStart(logger: loop.logger)
            self.event = consume event
        } catch {
            socket.close()
            throw error
        }
        takeReserve()
    }

    func stopListening() {
        guard isListening else { return }
        isListening = false
        event = nil
        if let rest, rest.isActive { try? rest.cancel() }
        rest = nil
        if reserve >= 0 { Socket(descriptor: reserve).close() }
        reserve = -1
        socket.close()
        loop.forget(self)
        loop.later { [loop, factory] in
            do {
                try factory.doStop(logger: loop.logger)
            } catch {
                loop.logger.error("\(type(of: factory)).stopFactory threw: \(error)")
            }
        }
    }

    /// A bound and listening socket, and where it is.
    private static func open(_ binding: TCPBinding) throws(ListenError) -> (Socket, Address) {
        guard let port = UInt16(exactly: binding.port) else {
            throw ListenError.badAddress.on("\(binding.interface):\(binding.port)")
        }
        if !binding.interface.isEmpty {
            guard let address = Address(host: binding.interface, port: port) else {
                throw ListenError.badAddress.on("\(binding.interface):\(binding.port)")
            }
            return try open(binding, at: address)
        }
        do {
            return try open(binding, at: .ipv6(IPv6Address(high: 0, low: 0, port: port)))
        } catch {
            // A machine without IPv6 says so in one of two ways.
            guard let number = error.underlying?.errno, number == EAFNOSUPPORT || number == EADDRNOTAVAIL else { throw error }
            return try open(binding, at: .ipv4(IPv4Address(bits: 0, port: port)))
        }
    }

    private static func open(_ binding: TCPBinding, at address: Address) throws(ListenError) -> (Socket, Address) {
        do throws(SystemError) {
            let socket = try Socket.stream(for: address)
            do throws(SystemError) {
                try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
                if binding.reusePort { try socket.set(SOL_SOCKET, SO_REUSEPORT, to: 1) }
                if case .ipv6 = address { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, to: 0) }
                try socket.apply(binding.options)
                try socket.bind(to: address)
                try socket.listen(backlog: max(1, binding.backlog))
            } catch {
                socket.close()
                throw error
            }
            return (socket, socket.localAddress)
        } catch {
            let kind: ListenError =
                switch error.errno {
                case EADDRINUSE: .addressInUse
                case EADDRNOTAVAIL: .addressNotAvailable
                case EACCES, EPERM: .permissionDenied
                default: .failed
                }
            throw kind.on(address.description, because: error)
        }
    }

    private func acceptWaiting() {
        for _ in 0..<Self.acceptsPerTurn {
            guard isListening, rest == nil else { return }
            do throws(SystemError) {
                let (accepted, peer) = try socket.accept()
                nextRest = Self.shortestRest
                serve(accepted, peer)
            } catch {
                switch error.errno {
                case EAGAIN, EWOULDBLOCK: return
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: return runOut(error)
                case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM: continue
                #if !canImport(Darwin)
                case ENONET: continue
                #endif
                default:
                    loop.logger.error("Couldn't accept connections on \(address): \(error)")
                    return takeRest(Self.longestRest)
                }
            }
        }
    }

    private func serve(_ accepted: Socket, _ peer: Address) {
        accepted.applyToAccepted(settings.options)
        do {
            guard let handler = try factory.protocolForConnection(from: peer) else { return accepted.close() }
            let transport = SocketTransport(loop: loop, socket: accepted, peer: peer, settings: settings)
            try loop.serve(transport, handler)
        } catch {
            loop.logger.error("\(type(of: factory)).buildProtocol threw: \(error)", metadata: ["peer": "\(peer)"])
            accepted.close()
        }
        loop.endCallback()
    }

    /// No descriptor is left: some of those who wait are told at once, the others when room appears.
    private func runOut(_ error: SystemError) {
        if nextRest == Self.shortestRest {
            loop.logger.warning(
                "Out of descriptors or memory on \(address), connections must wait: \(error); raise the limit (ulimit -n) or limit connections"
            )
        }
        if reserve >= 0 {
            Socket(descriptor: reserve).close()
            reserve = -1
            for _ in 0..<Self.refusalsPerTurn {
                guard let (refused, _) = try? socket.accept() else { break }
                refused.close()
            }
            takeReserve()
        }
        takeRest(nextRest)
        nextRest = min(nextRest * 2, Self.longestRest)
    }

    private func takeRest(_ duration: Duration) {
        event?.remove()
        loop.resting.append(self)
        rest = loop.callLater(duration) { [weak self] in self?.resume() }
    }

    /// Accepts again: when the rest is over, or when a descriptor was freed.
    func resume() {
        guard let rest, isListening else { return }
        if rest.isActive { try? rest.cancel() }
        self.rest = nil
        loop.resting.removeAll { $0 === self }
        if reserve < 0 { takeReserve() }
        do {
            try event?.add()
        } catch {
            loop.logger.error("Couldn't accept connections on \(address) again: \(error)")
            takeRest(Self.longestRest)
        }
    }

    private func takeReserve() {
        reserve = systemOpen("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}
