#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How many descriptors this process may have open. Each connection takes one, and the usual limit of 1024 is soon reached.
package enum DescriptorLimit {
    /// Raises the limit as far as the system lets this process raise it, and returns what it is then.
    @discardableResult
    package static func raise() -> Int {
        var limit = rlimit()
        // The call fills the structure that it is lent, and keeps nothing of it.
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        #if canImport(Darwin)
        // macOS calls the hard limit infinite and then refuses it.
        limit.rlim_cur = min(limit.rlim_cur, rlim_t(OPEN_MAX))
        #endif
        // The call only reads the structure that it is lent.
        let raised = unsafe setrlimit(resource, &limit) == 0
        return Int(clamping: raised ? limit.rlim_cur : before)
    }

    /// The limit as it is now.
    package static var current: Int {
        var limit = rlimit()
        // The call fills the structure that it is lent, and keeps nothing of it.
        return unsafe getrlimit(resource, &limit) == 0 ? Int(clamping: limit.rlim_cur) : .max
    }

    #if canImport(Glibc)
    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
    private static var resource: CInt { RLIMIT_NOFILE }
    #endif
}
