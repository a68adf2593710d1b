#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

// The system calls whose C names `Socket` uses for its own methods, under names that the two can't shadow.

func systemClose(_ descriptor: CInt) {
    // Whatever close reports, the descriptor is gone: closing again could hit somebody else's.
    _ = close(descriptor)
}

func systemBind(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> CInt {
    unsafe bind(descriptor, address, length)
}

func systemListen(_ descriptor: CInt, _ backlog: CInt) -> CInt {
    listen(descriptor, backlog)
}

func systemConnect(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> CInt {
    unsafe connect(descriptor, address, length)
}

@inline(__always)
func systemSend(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, _ flags: CInt) -> Int {
    unsafe send(descriptor, bytes.baseAddress, bytes.count, flags)
}

func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: Int, _ timeout: CInt) -> CInt {
    unsafe poll(descriptors, nfds_t(count), timeout)
}

/// Makes a descriptor non-blocking and closed on exec; false with errno where that failed.
func systemMakeOwn(_ descriptor: CInt) -> Bool {
    let flags = fcntl(descriptor, F_GETFL)
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) >= 0
}

/// Whether something is open under a descriptor; errno says why not.
func systemIsOpen(_ descriptor: CInt) -> Bool {
    fcntl(descriptor, F_GETFD) >= 0
}

/// The value of a variable of the environment.
func systemEnvironment(_ name: String) -> String? {
    // The text is copied at once; who changes the environment from another thread meanwhile has been warned by the system's manual.
    unsafe getenv(name).map { unsafe String(cString: $0) }
}

/// Takes a variable out of the environment.
func systemForget(_ name: String) {
    _ = unsafe unsetenv(name)
}

/// Opens a file to be locked, which is made if it is not there; never through a link.
func systemCreate(_ path: String) -> CInt {
    unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
}

func systemOpen(_ path: String, _ flags: CInt) -> CInt {
    unsafe open(path, flags)
}

/// The number that the last failed call of this thread left behind.
var systemErrno: CInt { errno }

func systemRead(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    unsafe read(descriptor, buffer.baseAddress, buffer.count)
}

func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    unsafe write(descriptor, bytes.baseAddress, bytes.count)
}

/// Closes a descriptor; one of the standard three goes on as `/dev/null`, because the next file that is opened would get its number.
func systemCloseOrEmpty(_ descriptor: CInt) {
    guard descriptor <= 2 else { return systemClose(descriptor) }
    let null = systemOpen("/dev/null", O_RDWR | O_CLOEXEC)
    guard null >= 0 else { return systemClose(descriptor) }
    _ = dup2(null, descriptor)
    if null != descriptor { systemClose(null) }
}

/// Runs a piece of work that blocks for as long as it likes on a thread of its own, which ends with it.
func systemRunInThread(_ work: @escaping @Sendable () -> Void) throws(SystemError) {
    let box = unsafe Unmanaged.passRetained(ThreadWork(work))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    // The work calls nobody, and there may be a thread for each of many children.
    unsafe pthread_attr_setstacksize(&attributes, 256 << 10)
    defer { unsafe pthread_attr_destroy(&attributes) }
    #if canImport(Glibc)
    var thread = pthread_t()
    #else
    var thread: pthread_t?
    #endif
    // The thread takes over the reference that was counted above.
    let failure = unsafe pthread_create(
        &thread, &attributes,
        { context in
            #if canImport(Darwin)
            unsafe Unmanaged<ThreadWork>.fromOpaque(context).takeRetainedValue().run()
            #else
            if let context = unsafe context { unsafe Unmanaged<ThreadWork>.fromOpaque(context).takeRetainedValue().run() }
            #endif
            return nil
        }, box.toOpaque())
    if failure != 0 {
        unsafe box.release()
        throw SystemError(call: "pthread_create", errno: failure)
    }
}

private final class ThreadWork: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Whether a path is that of a folder which this process may enter.
func systemCanEnter(_ folder: String) -> Bool {
    var status = stat()
    // Two calls that read a text, and fill a structure of this frame's own.
    return unsafe stat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && access(folder, X_OK) == 0
}
