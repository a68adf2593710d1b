import Twill

/// Bytes in a row: added at the end, taken from the front.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { start == bytes.count }

    mutating func append(_ data: Span<UInt8>) {
        bytes.append(copying: data)
    }

    mutating func append(_ data: [UInt8]) {
        if isEmpty { self = ByteQueue(bytes: data) } else { bytes += data }
    }

    /// Takes out the first bytes, as many as there are of those asked for.
    mutating func take(_ wanted: Int) -> [UInt8] {
        guard start > 0 || wanted < count else {
            defer { bytes = [] }
            return bytes
        }
        let taken = Array(bytes[start..<start + min(wanted, count)])
        start += taken.count
        // What was taken goes when it is the larger part, so that all of the copying costs no more than the bytes themselves.
        if start * 2 >= bytes.count {
            bytes.removeFirst(start)
            start = 0
        }
        return taken
    }

    mutating func removeAll() {
        self = ByteQueue()
    }
}
