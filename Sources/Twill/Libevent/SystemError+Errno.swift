#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension SystemError {
    /// Names the call that just failed; errno is taken first, before anything can change it.
    @inline(never)
    init(call: String) {
        self.init(call: call, errno: systemErrno)
    }

    /// Names a call that failed with a number.
    @inline(never)
    package init(call: String, errno: CInt) {
        // The system's text lies in static storage or in this thread's own.
        let text = unsafe String(cString: strerror(errno))
        self.init(call: call, errno: errno, message: text.prefix(1).lowercased() + text.dropFirst())
    }

    /// Whether the call would have had to wait, or was interrupted: trying again later is all there is to do.
    static func isTransient(_ errno: CInt) -> Bool {
        errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
    }
}
