import CLibevent
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Copies a file into a pipe on a thread of its own, for loops that can wait for a pipe and not for a file.
///
/// The pipe's size is all that it reads ahead: where nobody takes the bytes, it waits. It owns the file from the first moment on, and closes it
/// when the file has ended or the pipe's reader has gone.
final class FilePump: Sendable {
    private static let pieceBytes = 64 << 10

    /// The end to read from; it is closed by ``stop()``.
    let pipe: CInt
    private let failureNumber = Atomic<CInt>(0)

    /// Why the file could not be read to its end. It is there before the pipe's end.
    var failure: CInt? {
        let number = failureNumber.load(ordering: .acquiring)
        return number == 0 ? nil : number
    }

    /// Begins to copy; where it throws, the file is the caller's.
    init(from file: CInt) throws(SystemError) {
        let ends = try DescriptorPipe()
        pipe = ends.reading
        _ = systemMakeOwn(pipe)
        let sink = ends.writing
        do throws(SystemError) {
            try systemRunInThread { [self] in
                copy(file, to: sink)
                systemClose(sink)
                systemCloseOrEmpty(file)
            }
        } catch {
            ends.close()
            throw error
        }
    }

    /// Lets the pipe go, and with it the thread and the file.
    func stop() {
        systemClose(pipe)
    }

    private func copy(_ file: CInt, to sink: CInt) {
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.pieceBytes, alignment: 16) { buffer in
            while waitForInput(file, unlessGone: sink) {
                let count = unsafe systemRead(file, buffer)
                if count == 0 { return }
                if count < 0 {
                    if SystemError.isTransient(systemErrno) { continue }
                    return failureNumber.store(systemErrno, ordering: .releasing)
                }
                guard unsafe put(UnsafeRawBufferPointer(rebasing: buffer[..<count]), into: sink) else { return }
            }
        }
    }

    /// Waits until there is something to read; false where nobody is left to read it here.
    private func waitForInput(_ file: CInt, unlessGone sink: CInt) -> Bool {
        var polls = (pollfd(fd: file, events: Int16(POLLIN), revents: 0), pollfd(fd: sink, events: 0, revents: 0))
        // Two structures of this frame's own, one behind the other, as in an array.
        _ = unsafe withUnsafeMutableBytes(of: &polls) { bytes in
            unsafe bytes.assumingMemoryBound(to: pollfd.self).baseAddress.map { unsafe systemPoll($0, 2, -1) }
        }
        return polls.1.revents == 0
    }

    private func put(_ bytes: UnsafeRawBufferPointer, into sink: CInt) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = unsafe systemWrite(sink, UnsafeRawBufferPointer(rebasing: bytes[written...]))
            if count < 0, systemErrno != EINTR { return false }
            written += max(0, count)
        }
        return true
    }
}
