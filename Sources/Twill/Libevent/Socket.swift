import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A socket's descriptor, and the system calls that Twill makes on it.
///
/// A bare number: it owns nothing, and whoever opened it closes it, once. Every socket made here is non-blocking and closed on exec.
struct Socket {
    let descriptor: CInt

    /// A new stream socket of an address's family.
    static func stream(for address: Address) throws(SystemError) -> Socket {
        let family =
            switch address {
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            case .ipv4, .pipe, .unknown: AF_INET
            }
        let descriptor = twill_stream_socket(family)
        guard descriptor >= 0 else { throw SystemError(call: "socket") }
        return Socket(descriptor: descriptor)
    }

    /// A connected socket that somebody else has made.
    init(adopting descriptor: CInt) throws(SystemError) {
        self.descriptor = descriptor
        let failed = unsafe Address.filled { unsafe getpeername(descriptor, $0, $1) }.result != 0
        if failed { throw SystemError(call: "getpeername") }
        try becomeOwn()
    }

    init(descriptor: CInt) {
        self.descriptor = descriptor
    }

    /// Gives a socket of somebody else's the flags that those made here have.
    func becomeOwn() throws(SystemError) {
        guard systemMakeOwn(descriptor) else { throw SystemError(call: "fcntl") }
        // Elsewhere there is a flag for each send.
        #if canImport(Darwin)
        try set(SOL_SOCKET, SO_NOSIGPIPE, to: 1)
        #endif
    }

    /// The address of the other end (`getpeername`).
    var peerAddress: Address {
        unsafe Address.filled { unsafe getpeername(descriptor, $0, $1) }.address
    }

    /// Closes the descriptor. Its events must be gone from the loop by then.
    func close() {
        systemClose(descriptor)
    }

    /// Binds to a local address (`bind`).
    func bind(to address: Address) throws(SystemError) {
        let failed = try unsafe address.withSockaddr { unsafe systemBind(descriptor, $0, $1) != 0 }
        if failed { throw SystemError(call: "bind") }
    }

    /// Begins to accept connections (`listen`).
    func listen(backlog: Int) throws(SystemError) {
        if systemListen(descriptor, CInt(clamping: backlog)) != 0 { throw SystemError(call: "listen") }
    }

    /// Begins to connect (`connect`); the outcome shows when the socket becomes writable.
    func connect(to address: Address) throws(SystemError) {
        let failed = try unsafe address.withSockaddr { unsafe systemConnect(descriptor, $0, $1) != 0 }
        if failed {
            let error = SystemError(call: "connect")
            if error.errno != EINPROGRESS, error.errno != EINTR { throw error }
        }
    }

    /// Takes one waiting connection and its peer's address (`accept4`).
    func accept() throws(SystemError) -> (Socket, Address) {
        let (accepted, peer) = unsafe Address.filled { unsafe twill_accept(descriptor, $0, $1) }
        guard accepted >= 0 else { throw SystemError(call: "accept") }
        return (Socket(descriptor: accepted), peer)
    }

    /// The address of this end (`getsockname`).
    var localAddress: Address {
        unsafe Address.filled { unsafe getsockname(descriptor, $0, $1) }.address
    }

    /// Who is at the other end of a UNIX socket; nil for any other.
    var peerCredentials: PeerCredentials? {
        var (process, user, group): (CInt, UInt32, UInt32) = (0, 0, 0)
        guard unsafe twill_peer_credentials(descriptor, &process, &user, &group) == 0 else { return nil }
        return PeerCredentials(processID: process > 0 ? process : nil, userID: user, groupID: group)
    }

    /// The error that waits for the next call, the outcome of a connect in the background too, or 0 (`SO_ERROR`).
    var pendingError: CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        let failed = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length) != 0
        return failed ? EBADF : value
    }

    /// What can be known of a connection's end without taking input.
    enum End {
        case open
        case closed
        case broken(SystemError)
    }

    /// Looks whether the peer is gone. Where input is expected, its orderly end counts only when none is left before it.
    func peekAtEnd(expectsInput: Bool) -> End {
        let error = pendingError
        if error != 0 { return .broken(SystemError(call: "recv", errno: error)) }
        guard expectsInput else { return hasHungUp ? .broken(SystemError(call: "send", errno: EPIPE)) : .open }
        var byte: UInt8 = 0
        // One byte of this frame's own is written, at most.
        let count = unsafe recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        if count > 0 { return .open }
        if count == 0 { return .closed }
        let failure = SystemError(call: "recv")
        return SystemError.isTransient(failure.errno) ? .open : .broken(failure)
    }

    /// Whether neither direction works any more: a UNIX socket whose peer is gone says so and nothing else.
    private var hasHungUp: Bool {
        var poll = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe systemPoll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLHUP) != 0
    }

    /// Receives into a buffer; the number of bytes, 0 at the end of the stream, -1 with errno.
    @inline(__always)
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
    }

    /// Sends what the system will take now; the number of bytes, or -1 with errno. Never raises SIGPIPE.
    @inline(__always)
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        unsafe systemSend(descriptor, bytes, twill_send_flags)
    }

    /// Says that nothing more will be sent (`shutdown`); a failure means that the connection is gone already.
    func shutdownWriting() {
        #if canImport(Darwin)
        _ = shutdown(descriptor, SHUT_WR)
        #else
        _ = shutdown(descriptor, CInt(SHUT_WR))
        #endif
    }

    /// Whether closing now could destroy data on its way: input that nobody read, or output that the peer has not acknowledged.
    ///
    /// Either makes the system answer with a reset, which throws away what this side sent last.
    var wouldResetOnClose: Bool {
        var unread: CInt = 0
        var unacknowledged: CInt = 0
        #if canImport(Darwin)
        var length = socklen_t(MemoryLayout<CInt>.size)
        _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_NREAD, &unread, &length)
        _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &unacknowledged, &length)
        #else
        _ = unsafe ioctl(descriptor, UInt(FIONREAD), &unread)
        _ = unsafe ioctl(descriptor, UInt(TIOCOUTQ), &unacknowledged)
        #endif
        return unread > 0 || unacknowledged > 0
    }

    func get(_ level: CInt, _ option: CInt) throws(SystemError) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard unsafe getsockopt(descriptor, level, option, &value, &length) == 0 else { throw SystemError(call: "getsockopt") }
        return value
    }

    func set(_ level: CInt, _ option: CInt, to value: CInt) throws(SystemError) {
        var value = value
        guard unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw SystemError(call: "setsockopt")
        }
    }

    /// Makes close wait for delivery that long, or reset at once for zero (`SO_LINGER`).
    func setLinger(_ duration: Duration) throws(SystemError) {
        var value = linger(l_onoff: 1, l_linger: numericCast(min(duration.components.seconds, 32767)))
        guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size)) == 0 else {
            throw SystemError(call: "setsockopt")
        }
    }
}
