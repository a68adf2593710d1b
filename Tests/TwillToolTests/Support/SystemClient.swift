import Foundation

/// A client on the system's own blocking sockets: it shares nothing with what it tests. No call waits longer than 30 seconds.
final class SystemClient {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: CInt

    /// Connects to a port of 127.0.0.1.
    convenience init(port: UInt16) throws {
        try self.init(connecting: try Self.stream(), to: port)
    }

    /// Makes a UDP socket whose peer is a port of 127.0.0.1.
    convenience init(datagramsTo port: UInt16) throws {
        try self.init(connecting: try Self.datagrams(), to: port)
    }

    private init(connecting descriptor: CInt, to port: UInt16) throws {
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        // A pointer to any kind of address is passed as one to the common beginning of all of them.
        let failed = unsafe withUnsafePointer(to: Self.loopback(port)) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) != 0
            }
        }
        if failed { throw Failure(description: "no connection to port \(port), errno \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Foundation.send(descriptor, $0.baseAddress, $0.count, Self.noSignal) }
            guard count > 0 else { throw Failure(description: "send failed, errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// Says that it will send no more.
    func finishSending() {
        shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Receives exactly so many bytes.
    func receive(_ count: Int) throws -> [UInt8] {
        var received: [UInt8] = []
        while received.count < count {
            let piece = try receivePiece(atMost: count - received.count)
            guard !piece.isEmpty else { throw Failure(description: "the end came after \(received.count) of \(count) bytes") }
            received += piece
        }
        return received
    }

    /// Receives up to the end of the stream.
    func receiveToEnd() throws -> [UInt8] {
        var received: [UInt8] = []
        while true {
            let piece = try receivePiece(atMost: 65_536)
            guard !piece.isEmpty else { return received }
            received += piece
        }
    }

    /// Sends one datagram.
    func sendDatagram(_ bytes: [UInt8]) throws {
        let count = unsafe bytes.withUnsafeBytes { unsafe Foundation.send(descriptor, $0.baseAddress, $0.count, Self.noSignal) }
        guard count == bytes.count else { throw Failure(description: "send failed, errno \(errno)") }
    }

    /// Receives one datagram.
    func receiveDatagram() throws -> [UInt8] { try receivePiece(atMost: 65_536) }

    private func receivePiece(atMost count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
        guard received >= 0 else { throw Failure(description: "recv failed, errno \(errno)") }
        return Array(buffer.prefix(received))
    }

    #if canImport(Darwin)
    // Here a broken connection raises SIGPIPE, unless the socket or the process says otherwise; Twill's reactor says so for the process.
    private static let noSignal: CInt = 0
    #else
    private static let noSignal = CInt(MSG_NOSIGNAL)
    #endif

    fileprivate static func stream() throws -> CInt {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw Failure(description: "no socket, errno \(errno)") }
        return descriptor
    }

    private static func datagrams() throws -> CInt {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_DGRAM, 0)
        #else
        let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw Failure(description: "no socket, errno \(errno)") }
        return descriptor
    }

    fileprivate static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        return address
    }
}

/// A port that is taken and on which nobody listens: connecting to it is refused for as long as this lives.
final class DeafPort {
    let port: UInt16
    private let descriptor: CInt

    init() throws {
        descriptor = try SystemClient.stream()
        var address = SystemClient.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let failed = unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, length) != 0 || getsockname(descriptor, $0, &length) != 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        if failed { throw SystemClient.Failure(description: "no port to bind to, errno \(errno)") }
    }

    deinit {
        close(descriptor)
    }
}
