import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

private let pathCount = Atomic(0)

/// A path for a UNIX socket that nobody else uses; its server removes it.
func temporarySocketPath() -> String {
    "/tmp/twill-test-\(getpid())-\(pathCount.add(1, ordering: .relaxed).newValue).sock"
}
