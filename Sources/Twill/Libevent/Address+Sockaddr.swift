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
    /// - Throws: `EAFNOSUPPORT` for an address that is no IP address.
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
        case .unix, .unknown:
            throw SystemError(call: "socket", errno: EAFNOSUPPORT)
        }
    }

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
    init(_ storage: borrowing sockaddr_storage) {
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
        return (result, result >= 0 ? Address(storage) : .unknown)
    }
}
