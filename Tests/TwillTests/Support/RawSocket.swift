@testable import Twill

#if canImport(Glibc)
import Glibc
import TestSupport
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A system call of a test's that failed.
struct CallFailure: Error, Equatable, CustomStringConvertible {
    let call: String
    let number: CInt

    init(_ call: String, _ number: CInt = errno) {
        self.call = call
        self.number = number
    }

    var description: String { "\(call): errno \(number)" }
}

/// A blocking TCP socket of the system's own: the peer that knows nothing of Twill. A call that waits 20 seconds fails with EAGAIN.
final class RawSocket: Sendable {
    let descriptor: CInt
    private let isClosed = Counter()

    init(descriptor: CInt) {
        self.descriptor = descriptor
    }

    deinit { close() }

    /// A connection to a port of this machine.
    convenience init(connectedTo port: Int, host: String = "127.0.0.1", receiveBufferBytes: CInt? = nil) throws {
        guard let number = UInt16(exactly: port), let address = Address(host: host, port: number) else {
            throw CallFailure("inet_pton", EINVAL)
        }
        try self.init(unconnectedLike: address)
        if let receiveBufferBytes { try set(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes) }
        try connect(to: address)
    }

    private init(unconnectedLike address: Address) throws {
        let family = if case .ipv6 = address { AF_INET6 } else { AF_INET }
        #if canImport(Darwin)
        descriptor = socket(family, SOCK_STREAM, 0)
        #else
        descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw CallFailure("socket") }
        setPatience(.seconds(20))
    }

    /// A connection to a UNIX socket of this machine.
    init(connectedToPath path: String) throws {
        #if canImport(Darwin)
        descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #else
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw CallFailure("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let size = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < size else { throw CallFailure("connect", ENAMETOOLONG) }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if status != 0 { throw CallFailure("connect") }
        setPatience(.seconds(20))
    }

    /// How long a call waits before it fails with EAGAIN.
    func setPatience(_ duration: Duration) {
        // Two words are what a timeval is on 64-bit systems; which module shows its members to Swift differs from build to build.
        var patience = (
            seconds: Int(duration.components.seconds), microseconds: Int(duration.components.attoseconds / 1_000_000_000_000)
        )
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<(Int, Int)>.size))
        }
    }

    private func connect(to address: Address) throws {
        let status = try unsafe address.withSockaddr { unsafe systemConnect(descriptor, $0, $1) }
        if status != 0 { throw CallFailure("connect") }
    }

    /// A bound, listening socket whose queue of waiting connections is full after a few, and its port.
    static func listener(backlog: CInt, host: String = "127.0.0.1") throws -> (RawSocket, Int) {
        guard let address = Address(host: host, port: 0) else { throw CallFailure("bind", EADDRNOTAVAIL) }
        let listener = try RawSocket(unconnectedLike: address)
        guard try unsafe address.withSockaddr({ unsafe systemBind(listener.descriptor, $0, $1) }) == 0 else { throw CallFailure("bind") }
        guard systemListen(listener.descriptor, backlog) == 0 else { throw CallFailure("listen") }
        return (listener, Int(Socket(descriptor: listener.descriptor).localAddress.port ?? 0))
    }

    /// Takes one waiting connection, waiting for it.
    func accept() throws -> RawSocket {
        let accepted = try Socket(descriptor: descriptor).accept().0.descriptor
        _ = fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) & ~O_NONBLOCK)
        return RawSocket(descriptor: accepted)
    }

    /// Sends all of the bytes.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { unsafe systemSend(descriptor, UnsafeRawBufferPointer(rebasing: $0[sent...]), 0) }
            guard count > 0 else { throw CallFailure("send") }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Receives once: at most so many bytes, none at the end of the stream.
    func receive(atMost limit: Int = 1 << 16) throws -> [UInt8] {
        try unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let received = unsafe recv(descriptor, buffer.baseAddress, limit, 0)
            guard received >= 0 else { throw CallFailure("recv") }
            count = received
        }
    }

    /// Receives so many bytes, fewer only where the stream ends before.
    func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let piece = try receive(atMost: min(count - bytes.count, 1 << 18))
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes
    }

    func receiveText(_ count: Int) throws -> String {
        String(decoding: try receive(exactly: count), as: UTF8.self)
    }

    /// Receives until the peer closes.
    func receiveToEnd() throws -> [UInt8] {
        try receive(exactly: .max)
    }

    /// Whether the peer has closed or reset the connection, and nothing is left to receive.
    var isClosedByPeer: Bool {
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN)
    }

    /// Says that nothing more will be sent.
    func shutdownWriting() { Socket(descriptor: descriptor).shutdownWriting() }

    /// Closes with a reset.
    func reset() {
        try? Socket(descriptor: descriptor).setLinger(.zero)
        close()
    }

    /// Gives the descriptor to somebody who closes it.
    func giveAway() -> CInt {
        _ = isClosed.add()
        return descriptor
    }

    /// Closes, once.
    func close() {
        if isClosed.add() == 1 { systemClose(descriptor) }
    }

    func set(_ level: CInt, _ option: CInt, _ value: CInt) throws {
        try Socket(descriptor: descriptor).set(level, option, to: value)
    }
}

/// The value of a socket's option, -1 where it has none.
func socketOption(_ descriptor: CInt, _ level: CInt, _ option: CInt) -> CInt {
    var value: CInt = -1
    var length = socklen_t(MemoryLayout<CInt>.size)
    return unsafe getsockopt(descriptor, level, option, &value, &length) == 0 ? value : -1
}
