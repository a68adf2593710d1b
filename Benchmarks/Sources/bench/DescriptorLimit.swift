import Foundation

/// The limit on open files, which often is 1024 where ten thousand connections are to be opened.
enum DescriptorLimit {
    /// Raises bench's own soft limit to the hard one. Call before starting servers: they inherit it.
    static func raise() throws {
        var limit = try current()
        limit.rlim_cur = limit.rlim_max
        #if canImport(Darwin)
        // macOS calls the hard limit infinite and then refuses it.
        limit.rlim_cur = min(limit.rlim_cur, rlim_t(OPEN_MAX))
        #endif
        guard setrlimit(resource, &limit) == 0 else {
            throw BenchError.failed("couldn't raise the limit on open files to \(limit.rlim_cur): \(systemMessage(errno))")
        }
    }

    /// Fails early, with the remedy, where so many connections can't be had. A few descriptors more are needed for everything else.
    static func require(connections: Int) throws {
        let limit = try current().rlim_cur
        guard limit < rlim_t(connections) + 100 else { return }
        throw BenchError.unavailable(
            "the hard limit on open files is \(limit), too few for \(connections) connections; raise it with `ulimit -Hn` as root")
    }

    private static func current() throws -> rlimit {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else {
            throw BenchError.failed("couldn't ask for the limit on open files: \(systemMessage(errno))")
        }
        return limit
    }

    #if canImport(Darwin)
    private static var resource: Int32 { RLIMIT_NOFILE }
    #else
    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #endif
}
