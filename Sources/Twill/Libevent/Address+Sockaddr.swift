#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension Address {
    /// Calls `body` with the address as the system wants it.
    ///
    /// - Throws: `EAFNOSUPPORT` for no address at all, and for a name that begins with `@` where the system has no such names;
    ///   `ENAMETOOLONG` and `EINVAL` for a path that does not fit, or is empty.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) throws(SystemError) -> Result {
        switch self {
        case .ipv4(let address):
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = address.port.bigEndian
            raw.sin_addr.s_addr = address.bits.bigEndian
            #if canImport(Darwin)
            raw.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
            #endif
            return unsafe Self.withGeneric(&raw, body)
        case .ipv6(let address):
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = address.port.bigEndian
            raw.sin6_flowinfo = address.flowInfo.bigEndian
            raw.sin6_scope_id = address.scopeID
            unsafe withUnsafeMutableBytes(of: &raw.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            #if canImport(Darwin)
            raw.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
            #endif
            return unsafe Self.withGeneric(&raw, body)
        case .unix(let path):
            return try unsafe Self.withUNIX(path, body)
        case .pipe, .unknown:
            throw SystemError(call: "socket", errno: EAFNOSUPPORT)
        }
    }

    private static func withUNIX<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws(SystemError) -> Result {
        var bytes = Array(path.utf8)
        guard !bytes.isEmpty, !bytes.contains(0) else { throw SystemError(call: "socket", errno: EINVAL) }
        guard bytes.count <= pathBytesMax else { throw SystemError(call: "socket", errno: ENAMETOOLONG) }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        #if os(Linux)
        if isAbstract { bytes[0] = 0 }
        #else
        if isAbstract { throw SystemError(call: "socket", errno: EAFNOSUPPORT) }
        #endif
        var raw = sockaddr_un()
        raw.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &raw.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // A file's path ends with a 0, which is there already; a name ends where its length says.
        let length = unixPathOffset + bytes.count + (isAbstract ? 0 : 1)
        #if canImport(Darwin)
        raw.sun_len = UInt8(length)
        #endif
        return unsafe withGeneric(&raw) { unsafe body($0, min($1, socklen_t(length))) }
    }

    /// Where the path begins in a UNIX socket's address.
    private static var unixPathOffset: Int { MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2 }

    /// Lends a concrete address as the generic one that the socket calls take.
    private static func withGeneric<Raw, Result>(_ raw: inout Raw, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafePointer(to: &raw) { pointer in
            // Every sockaddr begins with the generic one's fields: that is what the family is for.
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<Raw>.size))
            }
        }
    }

    /// Reads what a socket call wrote; an IPv4 peer of a dual-stack socket comes as IPv4.
    init(_ storage: borrowing sockaddr_storage, length: Int = MemoryLayout<sockaddr_storage>.size) {
        // sockaddr_storage is made to be large and aligned enough for every family's address.
        switch CInt(storage.ss_family) {
        case AF_INET:
            let raw = unsafe withUnsafeBytes(of: storage) { unsafe $0.load(as: sockaddr_in.self) }
            self = .ipv4(IPv4Address(bits: UInt32(bigEndian: raw.sin_addr.s_addr), port: UInt16(bigEndian: raw.sin_port)))
        case AF_INET6:
            var raw = unsafe withUnsafeBytes(of: storage) { unsafe $0.load(as: sockaddr_in6.self) }
            let (high, low) = unsafe withUnsafeBytes(of: &raw.sin6_addr) {
                unsafe ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            let address = IPv6Address(
                high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), port: UInt16(bigEndian: raw.sin6_port),
                flowInfo: UInt32(bigEndian: raw.sin6_flowinfo), scopeID: raw.sin6_scope_id)
            self = address.mappedIPv4.map(Address.ipv4) ?? .ipv6(address)
        case AF_UNIX:
            var bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0.prefix(length).dropFirst(Self.unixPathOffset)) }
            if bytes.first == 0, bytes.count > 1 {
                // A name of Linux's own, all of whose bytes count.
                bytes[0] = UInt8(ascii: "@")
            } else {
                bytes = Array(bytes.prefix { $0 != 0 })
            }
            self = .unix(String(decoding: bytes, as: UTF8.self))
        default:
            self = .unknown
        }
    }

    /// Makes an address with a call that fills one in, as `accept` and `getsockname` do; nil where the call failed.
    static func filled<Result: BinaryInteger>(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> (result: Result, address: Address) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, &length) }
        }
        return (result, result >= 0 ? Address(storage, length: Int(length)) : .unknown)
    }
}
