import Foundation

/// Connections that bench itself opens to a server and then leaves alone. Plain blocking sockets: nothing here is measured.
final class IdleConnections {
    private var descriptors: [Int32] = []

    /// One source address has about 28 000 ports; a tenth address is there long before the descriptors run out.
    private static let connectionsPerSourceMax = 20_000

    var count: Int { descriptors.count }

    func open(_ count: Int, to server: ServerProcess) throws {
        let port = try server.port()
        for _ in 0..<count {
            descriptors.append(try IdleConnections.connect(port: port, source: descriptors.count / Self.connectionsPerSourceMax))
        }
    }

    /// Sends a byte on every connection and waits for it to come back, so that the server has done everything once.
    func exchangeByte() throws {
        for descriptor in descriptors {
            var byte: UInt8 = 46
            let sent = send(descriptor, &byte, 1, 0)
            let received = recv(descriptor, &byte, 1, 0)
            guard sent == 1, received == 1 else { throw BenchError.failed("a warm-up byte was not echoed: \(systemMessage(errno))") }
        }
    }

    func close() {
        for descriptor in descriptors { Foundation.close(descriptor) }
        descriptors.removeAll()
    }

    deinit {
        close()
    }

    private static func connect(port: UInt16, source: Int) throws -> Int32 {
        let descriptor = try makeSocket()
        var server = loopback(host: 1, port: port)
        var result: Int32 = 0
        if source > 0 {
            var own = loopback(host: UInt32(1 + source), port: 0)
            result = withSocketAddress(&own) { bind(descriptor, $0, $1) }
        }
        if result == 0 { result = withSocketAddress(&server) { Foundation.connect(descriptor, $0, $1) } }
        if result == 0 { return descriptor }
        let message = systemMessage(errno)
        Foundation.close(descriptor)
        throw BenchError.failed("couldn't connect to 127.0.0.1:\(port): \(message); ask for fewer --connections")
    }

    private static func makeSocket() throws -> Int32 {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        guard descriptor >= 0 else {
            throw BenchError.failed("couldn't make a socket: \(systemMessage(errno)); ask for fewer --connections")
        }
        // The next server must not inherit the connections to the last one.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
    }

    /// 127.0.0.`host`. All of 127.0.0.0/8 loops back.
    private static func loopback(host: UInt32, port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (0x7f00_0000 + host).bigEndian
        return address
    }

    private static func withSocketAddress(
        _ address: inout sockaddr_in, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
