import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A thread for one task that blocks for as long as it likes: Swift's own threads are few, and every other task of the process shares them.
///
/// The task is one that prefers this executor, so what runs on the thread has the priority and the task-local values of whoever started it.
final class ReactorThread: TaskExecutor {
    /// As much as a program's first thread usually has; it is memory only once it is used.
    private static let stackBytes = 8 << 20

    /// What is to be run; nil is the end.
    private let pieces = Mutex<[UnownedJob?]>([])
    private let isThere = DispatchSemaphore(value: 0)

    /// Starts the thread, which waits for its task.
    init() throws(SystemError) {
        try start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        add(UnownedJob(job))
    }

    /// Ends the thread, once the task has ended.
    func finish() {
        add(nil)
    }

    private func add(_ piece: UnownedJob?) {
        pieces.withLock { $0.append(piece) }
        isThere.signal()
    }

    private func run() {
        while let piece = next() {
            // The thread holds the executor while it runs.
            unsafe piece.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func next() -> UnownedJob? {
        isThere.wait()
        return pieces.withLock { $0.removeFirst() }
    }

    private func start() throws(SystemError) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, Self.stackBytes)
        #if canImport(Glibc)
        var thread = pthread_t()
        #else
        var thread: pthread_t?
        #endif
        // The thread takes over this reference.
        let kept = unsafe Unmanaged.passRetained(self)
        let failure = unsafe pthread_create(
            &thread, &attributes,
            { context in
                #if canImport(Darwin)
                unsafe Unmanaged<ReactorThread>.fromOpaque(context).takeRetainedValue().run()
                #else
                if let context = unsafe context { unsafe Unmanaged<ReactorThread>.fromOpaque(context).takeRetainedValue().run() }
                #endif
                return nil
            }, kept.toOpaque())
        if failure != 0 {
            unsafe kept.release()
            throw SystemError(call: "pthread_create", errno: failure)
        }
    }
}
