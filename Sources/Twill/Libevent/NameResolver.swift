#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Looks names up with the system's resolver, so that its configuration, its hosts file and its caches count.
enum NameResolver {
    /// The port of a TCP service by its name, as the machine's list of services has it.
    static func port(ofService name: String) -> Int? {
        guard !name.utf8.contains(0) else { return nil }
        return (try? list(node: nil, service: name, flags: AI_PASSIVE))?.compactMap(\.port).first.map { Int($0) }
    }

    /// The addresses of a name, in the order in which the system would try them. Blocks, so it runs on a thread of its own.
    static func addresses(of name: String) throws(ResolveError) -> [Address] {
        let addresses = try list(node: name, service: nil, flags: AI_ADDRCONFIG)
        guard !addresses.isEmpty else { throw ResolveError(name: name, message: "it has no IP address") }
        return addresses
    }

    private static func list(node: String?, service: String?, flags: CInt) throws(ResolveError) -> [Address] {
        var hints = unsafe addrinfo()
        #if canImport(Darwin) || canImport(Musl)
        unsafe hints.ai_socktype = SOCK_STREAM
        #else
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #endif
        unsafe hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(node, service, &hints, &list)
        guard status == 0 else {
            throw unsafe ResolveError(name: node ?? service ?? "", message: String(cString: gai_strerror(status)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [Address] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe Address(entry.pointee) { addresses.append(address) }
            unsafe next = entry.pointee.ai_next
        }
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
