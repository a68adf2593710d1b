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
