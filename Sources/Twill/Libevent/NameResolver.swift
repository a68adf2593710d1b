#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Looks names up with the system's resolver, so that its configuration, its hosts file and its caches count.
enum NameResolver {
    /// The addresses of a name, in the order in which the system would try them. Blocks, so it runs on a thread of its own.
    static func addresses(of name: String) throws(ResolveError) -> [Address] {
        var hints = unsafe addrinfo()
        #if canImport(Darwin) || canImport(Musl)
        unsafe hints.ai_socktype = SOCK_STREAM
        #else
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #endif
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(name, nil, &hints, &list)
        guard status == 0 else {
            throw unsafe ResolveError(name: name, message: String(cString: gai_strerror(status)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [Address] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe Address(entry.pointee) { addresses.append(address) }
            unsafe next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw ResolveError(name: name, message: "it has no IP address") }
        return addresses
    }
}

extension Address {
    /// One answer of the resolver; nil for a family other than IP.
    fileprivate init?(_ info: addrinfo) {
        guard let raw = unsafe info.ai_addr else { return nil }
        var storage = sockaddr_storage()
        let length = min(Int(unsafe info.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutableBytes(of: &storage) {
            unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: length))
        }
        self.init(storage)
        guard port != nil else { return nil }
    }
}
