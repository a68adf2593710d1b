// Which of these modules a C type is found in depends on what else is compiled.
import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Addresses as datagrams carry them: written into memory that is there already, because every answer needs one.
extension Address {
    /// Writes the address as the system wants it into room for a `sockaddr_storage`, and tells its length.
    ///
    /// - Parameter isMapped: whether the socket is an IPv6 one, which knows IPv4 addresses as a part of its own.
    @inline(__always)
    func store(at place: UnsafeMutableRawPointer, isMapped: Bool) -> socklen_t {
        switch self {
        case .ipv4(let address) where !isMapped:
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = address.port.bigEndian
            raw.sin_addr.s_addr = address.bits.bigEndian
            #if canImport(Darwin)
            raw.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
            #endif
            unsafe place.storeBytes(of: raw, as: sockaddr_in.self)
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        case .ipv4(let address):
            return unsafe IPv6Address(mapping: address).store(at: place)
        case .ipv6(let address):
            return unsafe address.store(at: place)
        case .unix:
            // A path that has no room was refused before.
            return
                (try? unsafe withSockaddr { source, length in
                    unsafe place.copyMemory(from: source, byteCount: Int(length))
                    return length
                }) ?? 0
        case .pipe, .unknown:
            return 0
        }
    }
}

extension IPv6Address {
    @inline(__always)
    fileprivate func store(at place: UnsafeMutableRawPointer) -> socklen_t {
        var raw = sockaddr_in6()
        raw.sin6_family = sa_family_t(AF_INET6)
        raw.sin6_port = port.bigEndian
        raw.sin6_flowinfo = flowInfo.bigEndian
        raw.sin6_scope_id = scopeID
        #if canImport(Darwin)
        raw.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
        #endif
        unsafe withUnsafeMutableBytes(of: &raw.sin6_addr) { bytes in
            unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        unsafe place.storeBytes(of: raw, as: sockaddr_in6.self)
        return socklen_t(MemoryLayout<sockaddr_in6>.size)
    }
}

extension Address {
    /// An IPv4 address as an IPv6 socket writes it; any other as it is.
    var mappedToIPv6: Address {
        guard case .ipv4(let address) = self else { return self }
        return .ipv6(IPv6Address(mapping: address))
    }
}

extension IPv6Address {
    /// An IPv4 address as an IPv6 socket writes it: `::ffff:192.0.2.1`.
    @inline(__always)
    init(mapping address: IPv4Address) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(address.bits), port: address.port)
    }
}
