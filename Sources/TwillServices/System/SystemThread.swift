import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A thread of its own for work that takes as long as the program does.
final class SystemThread: Sendable {
    /// As much as a program's first thread usually has; it is memory only once it is used.
    private static let stackBytes = 8 << 20

    private let work: @Sendable () -> Void

    private init(_ work: @escaping @Sendable () -> Void) {
        self.work = work
    }

    /// Starts a thread, which ends with the work.
    static func start(_ work: @escaping @Sendable () -> Void) throws(SystemError) {
        var attributes = pthread_attr_t()
        // These calls fill and read a structure of this frame's own, which is made by the first and given back by the last.
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        // The thread takes over this reference.
        let kept = unsafe Unmanaged.passRetained(SystemThread(work))
        let failure = unsafe pthread_create(
            &thread, &attributes,
            { context in
                #if canImport(Darwin)
                unsafe Unmanaged<SystemThread>.fromOpaque(context).takeRetainedValue().work()
                #else
                if let context = unsafe context { unsafe Unmanaged<SystemThread>.fromOpaque(context).takeRetainedValue().work() }
                #endif
                return nil
            }, kept.toOpaque())
        if failure != 0 {
            unsafe kept.release()
            throw SystemError(call: "pthread_create", errno: failure)
        }
    }
}
