import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One of this machine's network interfaces, by its number.
struct NetworkInterface {
    /// The interface that the system would choose.
    static let any = NetworkInterface(index: 0)

    let index: UInt32

    private init(index: UInt32) {
        self.index = index
    }

    /// Finds an interface by its name or by one of its literal addresses; nil where there is no such thing. An empty text stands for any.
    init?(_ text: String) {
        if text.isEmpty {
            self = .any
            return
        }
        index = Address(host: text, port: 0).map(Self.index) ?? Self.index(named: text)
        if index == 0 { return nil }
    }

    private static func index(named name: String) -> UInt32 {
        // C would end the name at a zero byte, and find another interface.
        name.utf8.contains(0) ? 0 : unsafe if_nametoindex(name)
    }

    /// The number of the interface that has an address, or 0.
    private static func index(of wanted: Address) -> UInt32 {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return 0 }
        // The list is this function's own until here.
        defer { unsafe freeifaddrs(list) }
        var next = unsafe list
        while let entry = unsafe next {
            if let name = unsafe entry.pointee.ifa_addr, unsafe isAddress(name, of: wanted) {
                return unsafe if_nametoindex(entry.pointee.ifa_name)
            }
            unsafe next = entry.pointee.ifa_next
        }
        return 0
    }

    /// Whether a generic address of the system's is that host.
    private static func isAddress(_ name: UnsafeMutablePointer<sockaddr>, of wanted: Address) -> Bool {
        let family = CInt(unsafe name.pointee.sa_family)
        switch wanted {
        case .ipv4(let wanted) where family == AF_INET:
            // The family says which address it is.
            let raw = unsafe UnsafeRawPointer(name).loadUnaligned(as: sockaddr_in.self)
            return UInt32(bigEndian: raw.sin_addr.s_addr) == wanted.bits
        case .ipv6(let wanted) where family == AF_INET6:
            var storage = sockaddr_storage()
            unsafe withUnsafeMutableBytes(of: &storage) {
                // So does this one.
                unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: name, count: MemoryLayout<sockaddr_in6>.size))
            }
            guard case .ipv6(let address) = Address(storage) else { return false }
            return (address.high, address.low) == (wanted.high, wanted.low)
        default:
            return false
        }
    }
}
