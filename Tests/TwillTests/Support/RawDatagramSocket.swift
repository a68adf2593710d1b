@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A blocking UDP socket of the system's own: the peer that knows nothing of Twill. A call that waits 20 seconds fails with EAGAIN.
final class RawDatagramSocket: Sendable {
    let address: Address
    private let socket: RawSocket

    var descriptor: CInt { socket.descriptor }

    /// A socket on a free port of a literal address.
    init(host: String = "127.0.0.1", port: UInt16 = 0) throws {
        guard let wanted = Address(host: host, port: port) else { throw CallFailure("inet_pton", EINVAL) }
        let family = if case .ipv6 = wanted { AF_INET6 } else { AF_INET }
        #if canImport(Darwin)
        let made = systemSocket(family, SOCK_DGRAM)
        #else
        let made = systemSocket(family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue))
        #endif
        guard made >= 0 else { throw CallFailure("socket") }
        socket = RawSocket(descriptor: made)
        socket.setPatience(.seconds(20))
        guard try unsafe wanted.withSockaddr({ unsafe systemBind(made, $0, $1) }) == 0 else { throw CallFailure("bind") }
        address = Socket(descriptor: made).localAddress
    }

    /// An address at which nobody listens: that of a socket that is gone.
    static func freeAddress(host: String = "127.0.0.1") throws -> Address {
        let socket = try RawDatagramSocket(host: host)
        defer { socket.close() }
        return socket.address
    }

    func setPatience(_ duration: Duration) { socket.setPatience(duration) }

    func set(_ level: CInt, _ option: CInt, _ value: CInt) throws { try socket.set(level, option, value) }

    /// Sends one datagram.
    func send(_ bytes: [UInt8], to address: Address) throws {
        let sent = try unsafe address.withSockaddr { name, length in
            unsafe bytes.withUnsafeBytes { unsafe sendto(descriptor, $0.baseAddress, $0.count, 0, name, length) }
        }
        guard sent == bytes.count else { throw CallFailure("sendto") }
    }

    func send(_ text: String, to address: Address) throws { try send(Array(text.utf8), to: address) }

    /// Receives one datagram, and from where.
    func receive() throws -> (bytes: [UInt8], sender: Address) {
        var sender = Address.unknown
        let bytes = try unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
            let (received, address) = unsafe Address.filled { unsafe recvfrom(descriptor, buffer.baseAddress, 1 << 16, 0, $0, $1) }
            guard received >= 0 else { throw CallFailure("recvfrom") }
            (count, sender) = (received, address)
        }
        return (bytes, sender)
    }

    func receiveText() throws -> String { String(decoding: try receive().bytes, as: UTF8.self) }

    /// Receives so many datagrams, as texts.
    func receiveTexts(_ count: Int) throws -> [String] { try (0..<count).map { _ in try receiveText() } }

    /// Whether nothing is there to receive.
    var isEmpty: Bool {
        var byte: UInt8 = 0
        return unsafe recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) < 0
    }

    func close() { socket.close() }
}

private func systemSocket(_ family: CInt, _ kind: CInt) -> CInt {
    socket(family, kind, 0)
}
