#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@testable import Twill

/// Two connected sockets without a network.
func socketPair() throws -> (RawSocket, RawSocket) {
    var ends: [CInt] = [-1, -1]
    #if canImport(Darwin)
        let kind = SOCK_STREAM
    #else
        let kind = CInt(SOCK_STREAM.rawValue)
    #endif
    guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw CallFailure("socketpair") }
    return (RawSocket(descriptor: ends[0]), RawSocket(descriptor: ends[1]))
}

/// Writes until the descriptor takes no more; how many bytes it took.
func fill(_ descriptor: CInt) -> Int {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    let bytes = [UInt8](repeating: 0x2E, count: 1 << 16)
    var total = 0
    while true {
        let count = unsafe write(descriptor, bytes, bytes.count)
        guard count > 0 else { return total }
        total += count
    }
}

/// The processor time that this thread has used.
func threadProcessorTime() -> Duration {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
