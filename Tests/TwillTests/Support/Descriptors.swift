@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Two connected sockets without a network.
func socketPair() throws -> (RawSocket, RawSocket) {
    var ends: [CInt] = [-1, -1]
    #if canImport(Darwin)
    let kind = SOCK_STREAM
    #else
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
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
    // Two words, as in a timespec; see RawSocket on why they are not its members.
    var time = (seconds: 0, nanoseconds: 0)
    unsafe withUnsafeMutableBytes(of: &time) { bytes in
        if let words = unsafe bytes.assumingMemoryBound(to: timespec.self).baseAddress {
            _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, words)
        }
    }
    return .seconds(time.seconds) + .nanoseconds(time.nanoseconds)
}

/// Holds this thread up; for raw clients that are slow on purpose, never for luck.
func pauseThread(_ duration: Duration) {
    usleep(UInt32(duration.clampedNanoseconds / 1_000))
}
