import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A datagram socket's descriptor, its IP family, and the system calls that are made on it; those for multicast are in
/// `UDPSocket+Multicast.swift`.
///
/// A bare number, as ``Socket`` is: whoever opened it closes it, once.
struct UDPSocket {
    /// Which addresses a socket can send to.
    enum Family {
        case ipv4
        case ipv6
        /// An IPv6 socket that carries IPv4, too.
        case dual
        /// No IP at all: paths and names on this machine.
        case unix
    }

    let descriptor: CInt
    let family: Family
    /// Whether a process before this one has opened it, and may have joined groups with it.
    var isTakenOver = false

    var socket: Socket { Socket(descriptor: descriptor) }

    /// A bound socket, and where it is.
    static func open(_ binding: UDPBinding) throws(ListenError) -> (UDPSocket, Address) {
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
            guard let number = error.errno, number == EAFNOSUPPORT || number == EADDRNOTAVAIL else { throw error }
            return try open(binding, at: .ipv4(IPv4Address(bits: 0, port: port)))
        }
    }

    private static func open(_ binding: UDPBinding, at address: Address) throws(ListenError) -> (UDPSocket, Address) {
        do throws(SystemError) {
            let made = try UDPSocket(for: address)
            do throws(SystemError) {
                try made.apply(binding)
                try made.socket.bind(to: address)
            } catch {
                made.close()
                throw error
            }
            return (made, made.socket.localAddress)
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

    init(descriptor: CInt, family: Family) {
        self.descriptor = descriptor
        self.family = family
    }

    /// A bound socket that somebody else has opened, with what the binding asks for.
    init(adopting descriptor: CInt, _ binding: UDPBinding) throws(SystemError) {
        let socket = Socket(descriptor: descriptor)
        #if canImport(Glibc)
        let datagrams = CInt(SOCK_DGRAM.rawValue)
        #else
        let datagrams = SOCK_DGRAM
        #endif
        guard try socket.get(SOL_SOCKET, SO_TYPE) == datagrams else { throw SystemError(call: "recvmsg", errno: EINVAL) }
        try socket.becomeOwn()
        self.descriptor = descriptor
        isTakenOver = true
        family =
            switch socket.localAddress {
            case .ipv6: try socket.get(CInt(IPPROTO_IPV6), IPV6_V6ONLY) == 0 ? .dual : .ipv6
            case .ipv4, .unix, .pipe, .unknown: .ipv4
            }
        if binding.options.broadcastAllowed { try allowBroadcast(true) }
        try applySizes(of: binding.options)
    }

    /// A new socket that can be bound to the address.
    private init(for address: Address) throws(SystemError) {
        family =
            switch address {
            // Only on all interfaces does one socket make sense for both: bound to one address, it would have to send from another.
            case .ipv6(let address): address.high == 0 && address.low == 0 ? .dual : .ipv6
            case .ipv4, .unix, .pipe, .unknown: .ipv4
            }
        descriptor = twill_datagram_socket(family == .ipv4 ? AF_INET : AF_INET6)
        guard descriptor >= 0 else { throw SystemError(call: "socket") }
    }

    private func apply(_ binding: UDPBinding) throws(SystemError) {
        if binding.reusePort {
            try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
            try socket.set(SOL_SOCKET, SO_REUSEPORT, to: 1)
        }
        if family != .ipv4 { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, to: family == .dual ? 0 : 1) }
        if binding.options.broadcastAllowed { try allowBroadcast(true) }
        hearOwnGroupsAlone()
        try applySizes(of: binding.options)
    }

    /// Keeps away what is sent to groups that others on this machine have joined, and this socket has not. Only Linux has to be told, and only from
    /// 4.20 on can be told for IPv6.
    private func hearOwnGroupsAlone() {
        #if os(Linux)
        if family != .ipv6 { try? socket.set(CInt(IPPROTO_IP), twill_ip_multicast_all, to: 0) }
        if family != .ipv4 { try? socket.set(CInt(IPPROTO_IPV6), twill_ipv6_multicast_all, to: 0) }
        #endif
    }

    func applySizes(of options: DatagramOptions) throws(SystemError) {
        if let bytes = options.sendBufferBytes { try socket.set(SOL_SOCKET, SO_SNDBUF, to: CInt(clamping: bytes)) }
        if let bytes = options.receiveBufferBytes { try socket.set(SOL_SOCKET, SO_RCVBUF, to: CInt(clamping: bytes)) }
    }

    /// Closes the descriptor. Its events must be gone from the loop by then.
    func close() {
        systemClose(descriptor)
    }

    /// Lets datagrams go to broadcast addresses, or not (`SO_BROADCAST`).
    func allowBroadcast(_ isAllowed: Bool) throws(SystemError) {
        try socket.set(SOL_SOCKET, SO_BROADCAST, to: isAllowed ? 1 : 0)
    }

    /// Sets the one peer (`connect`), and tells it as the system will name it.
    func connect(to address: Address) throws(SystemError) -> Address {
        let name = family == .ipv4 || family == .unix ? address : address.mappedToIPv6
        let failed = try unsafe name.withSockaddr { unsafe systemConnect(descriptor, $0, $1) != 0 }
        if failed { throw SystemError(call: "connect") }
        return unsafe Address.filled { unsafe getpeername(descriptor, $0, $1) }.address
    }
}
