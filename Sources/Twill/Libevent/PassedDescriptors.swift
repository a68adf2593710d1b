import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Descriptors that wait to be sent over a UNIX socket, with the bytes they go with and those behind them.
///
/// They are copies, so that whoever passed them may close his own at once; each is closed when it has left, or when it is dropped.
struct PassedDescriptors: ~Copyable {
    /// Descriptors, and the bytes from the first one that they go with up to the next descriptors.
    private struct Piece {
        let descriptors: [CInt]
        var bytes: [UInt8]
    }

    private var pieces: [Piece] = []
    /// How many bytes wait.
    private(set) var byteCount = 0
    /// How many descriptors wait.
    private(set) var count = 0

    deinit {
        for piece in pieces { Self.close(piece.descriptors) }
    }

    var isEmpty: Bool { pieces.isEmpty }

    static func close(_ descriptors: [CInt]) {
        for descriptor in descriptors { systemClose(descriptor) }
    }

    /// Copies of descriptors.
    static func copies(of descriptors: [CInt]) throws(DescriptorPassingError) -> [CInt] {
        var copies: [CInt] = []
        for descriptor in descriptors {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else {
                let error = SystemError(call: "fcntl")
                close(copies)
                throw .refused(descriptor, error)
            }
            copies.append(copy)
        }
        return copies
    }

    /// Takes copies over.
    mutating func append(_ copies: [CInt], with bytes: UnsafeRawBufferPointer) {
        unsafe pieces.append(Piece(descriptors: copies, bytes: Array(bytes)))
        byteCount += bytes.count
        count += copies.count
    }

    /// Adds bytes behind the last descriptors.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        unsafe pieces[pieces.count - 1].bytes.append(contentsOf: bytes)
        byteCount += bytes.count
    }

    /// Sends the first descriptors with as many of their bytes as the socket takes; what is left of those, or nil where it takes nothing now.
    mutating func sendFirst(over socket: Socket) throws(SystemError) -> [UInt8]? {
        let piece = pieces[0]
        let sent = unsafe piece.bytes.withUnsafeBytes { unsafe socket.send($0, passing: piece.descriptors) }
        guard sent > 0 else {
            let error = SystemError(call: "sendmsg")
            if SystemError.isTransient(error.errno) { return nil }
            throw error
        }
        pieces.removeFirst()
        byteCount -= piece.bytes.count
        count -= piece.descriptors.count
        Self.close(piece.descriptors)
        return Array(piece.bytes[sent...])
    }
}

extension Socket {
    /// Sends bytes and descriptors with the first of them; the number of bytes, or -1 with errno.
    func send(_ bytes: UnsafeRawBufferPointer, passing descriptors: [CInt]) -> Int {
        unsafe descriptors.withUnsafeBufferPointer { passed in
            unsafe twill_send_passing(descriptor, bytes.baseAddress, bytes.count, passed.baseAddress, UInt32(passed.count))
        }
    }

    /// Receives bytes, and calls with each descriptor that came along; the number of bytes, 0 at the end, -1 with errno, which is EMFILE where
    /// descriptors were lost.
    func receive(into buffer: UnsafeMutableRawBufferPointer, passed: (CInt) -> Void) -> Int {
        var count: UInt32 = 0
        let size = DescriptorPassingError.descriptorsMax
        return unsafe withUnsafeTemporaryAllocation(of: CInt.self, capacity: size) { room in
            let received = unsafe twill_receive_passed(descriptor, buffer.baseAddress, buffer.count, room.baseAddress, UInt32(size), &count)
            for index in 0..<Int(count) { unsafe passed(room[index]) }
            return received
        }
    }
}
