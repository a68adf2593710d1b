import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What other threads ring to wake a sleeping loop: an eventfd, or a pipe where there is none.
///
/// It closes its descriptors when the last one who could ring is gone, so that nobody ever rings at a number that is somebody else's.
final class WakeUp: Sendable {
    let readEnd: CInt
    private let writeEnd: CInt

    init() throws(SystemError) {
        #if os(Linux) || os(Android)
        readEnd = eventfd(0, CInt(EFD_NONBLOCK) | CInt(EFD_CLOEXEC))
        writeEnd = readEnd
        guard readEnd >= 0 else { throw SystemError(call: "eventfd") }
        #else
        var ends: (CInt, CInt) = (-1, -1)
        let failed = unsafe withUnsafeMutableBytes(of: &ends) { unsafe pipe($0.assumingMemoryBound(to: CInt.self).baseAddress) != 0 }
        (readEnd, writeEnd) = ends
        if failed { throw SystemError(call: "pipe") }
        for end in [readEnd, writeEnd] {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        #endif
    }

    deinit {
        Socket(descriptor: readEnd).close()
        if writeEnd != readEnd { Socket(descriptor: writeEnd).close() }
    }

    /// Makes the loop wake up; from any thread, and in a signal handler.
    func ring() {
        // It only fails where it is full of rings already.
        var one: UInt64 = 1
        _ = unsafe write(writeEnd, &one, MemoryLayout<UInt64>.size)
    }

    /// Silences it, so that it can be rung again; whether it had been rung.
    func silence() -> Bool {
        var wasRung = false
        var rings: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        // An eventfd gives all its rings as one number, a pipe each as one; either reports an error when there is no more.
        while unsafe read(readEnd, &rings, MemoryLayout.size(ofValue: rings)) > 0 {
            wasRung = true
        }
        return wasRung
    }
}
