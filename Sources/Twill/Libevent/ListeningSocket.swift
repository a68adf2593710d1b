#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A socket that is bound and listens: where it is, what its connections get, and what goes with it when it is closed.
struct ListeningSocket {
    let socket: Socket
    let address: Address
    var options = TransportOptions()
    var connectionsMax: Int?
    var acceptsPerTurn = 64
    /// The file of a UNIX socket.
    var file: UNIXSocketFile?
    /// More sockets at the same address, which this port serves, too.
    var others: [Socket] = []
    /// How many may wait in the queue of a socket that does not listen yet; nil where it listens.
    var backlogToCome: Int?

    func close(keepingFile: Bool = false) {
        // First the file: who comes in between finds nobody rather than a socket that nobody listens on.
        if !keepingFile { file?.remove() }
        socket.close()
        for other in others { other.close() }
    }

    /// The others, each as a port of its own; they are no part of this one any more.
    mutating func takeOthers() -> [ListeningSocket] {
        defer { others = [] }
        return others.map {
            ListeningSocket(socket: $0, address: address, options: options, connectionsMax: connectionsMax, acceptsPerTurn: acceptsPerTurn)
        }
    }
}

// TCP.
extension ListeningSocket {
    /// Opens a TCP port.
    ///
    /// - Parameter listensLater: whether it is bound alone, so that nobody can connect yet.
    init(_ binding: TCPBinding, listensLater: Bool = false) throws(ListenError) {
        var binding = binding
        binding.backlog = max(1, binding.backlog)
        (socket, address) = try Self.open(binding, listens: !listensLater)
        backlogToCome = listensLater ? binding.backlog : nil
        options = binding.options
        connectionsMax = binding.connectionsMax
        acceptsPerTurn = binding.acceptsPerTurn
    }

    private static func open(_ binding: TCPBinding, listens: Bool) throws(ListenError) -> (Socket, Address) {
        guard let port = UInt16(exactly: binding.port) else {
            throw ListenError.badAddress.on("\(binding.interface):\(binding.port)")
        }
        if !binding.interface.isEmpty {
            guard let address = Address(host: binding.interface, port: port) else {
                throw ListenError.badAddress.on("\(binding.interface):\(binding.port)")
            }
            return try open(binding, at: address, listens: listens)
        }
        do {
            return try open(binding, at: .ipv6(IPv6Address(high: 0, low: 0, port: port)), listens: listens)
        } catch {
            // A machine without IPv6 says so in one of two ways.
            guard let number = error.underlying?.errno, number == EAFNOSUPPORT || number == EADDRNOTAVAIL else { throw error }
            return try open(binding, at: .ipv4(IPv4Address(bits: 0, port: port)), listens: listens)
        }
    }

    private static func open(_ binding: TCPBinding, at address: Address, listens: Bool) throws(ListenError) -> (Socket, Address) {
        do throws(SystemError) {
            let socket = try Socket.stream(for: address)
            do throws(SystemError) {
                try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
                if binding.reusePort { try socket.set(SOL_SOCKET, SO_REUSEPORT, to: 1) }
                if case .ipv6 = address { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, to: 0) }
                try socket.apply(binding.options, for: address)
                try socket.bind(to: address)
                if listens { try socket.listen(backlog: binding.backlog) }
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
}

// Adopted.
extension ListeningSocket {
    /// Takes over a socket that somebody else has opened.
    init(adopting descriptor: CInt) throws(ListenError) {
        let socket = Socket(descriptor: descriptor)
        do throws(SystemError) {
            guard try socket.get(SOL_SOCKET, SO_ACCEPTCONN) != 0 else { throw SystemError(call: "accept", errno: EINVAL) }
            try socket.becomeOwn()
        } catch {
            throw ListenError.notAListener.on("fd:\(descriptor)", because: error)
        }
        self.socket = socket
        address = socket.localAddress
    }
}

// UNIX.
extension ListeningSocket {
    /// Opens a UNIX socket.
    init(_ binding: UNIXBinding) throws(ListenError) {
        let address = Address.unix(binding.path)
        let socket: Socket
        do {
            socket = try Socket.stream(for: address)
        } catch {
            throw ListenError.failed.on(binding.path, because: error)
        }
        do throws(ListenError) {
            file = binding.path.hasPrefix("@") ? nil : try UNIXSocketFile.bind(socket, to: binding)
        } catch {
            socket.close()
            throw error
        }
        do throws(SystemError) {
            if file == nil { try socket.bind(to: address) }
            try socket.apply(binding.options, for: address)
            try socket.listen(backlog: max(1, binding.backlog))
        } catch {
            file?.remove()
            socket.close()
            let kind: ListenError =
                switch error.errno {
                case EADDRINUSE: .addressInUse
                case ENAMETOOLONG, EINVAL, EAFNOSUPPORT: .badPath
                default: .failed
                }
            throw kind.on(binding.path, because: error)
        }
        self.socket = socket
        self.address = address
        options = binding.options
        connectionsMax = binding.connectionsMax
        acceptsPerTurn = binding.acceptsPerTurn
    }
}
