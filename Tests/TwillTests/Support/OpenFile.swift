#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A number that no descriptor of a process has: no limit is that high.
let unusedDescriptor: CInt = 2_000_000_000

/// What is open under a descriptor now, to ask later whether it still is.
///
/// The number alone tells nothing: another test that runs beside may have got it the moment after it was closed.
struct OpenFile {
    private let descriptor: CInt
    private let identity: [UInt64]

    init(_ descriptor: CInt) {
        self.descriptor = descriptor
        identity = Self.identity(of: descriptor)
    }

    var isOpen: Bool { !identity.isEmpty && Self.identity(of: descriptor) == identity }

    private static func identity(of descriptor: CInt) -> [UInt64] {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return [] }
        return [UInt64(truncatingIfNeeded: status.st_dev), UInt64(truncatingIfNeeded: status.st_ino)]
    }
}
