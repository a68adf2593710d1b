import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What one system call needs that takes or sends many datagrams: for each a header, which points to the place of its bytes and to that of its
/// address. Knows nothing of what is in them.
///
/// A handle to memory that the reactor frees, as ``WriteStage`` is, because every datagram comes through here.
@safe
struct UDPBatch {
    /// How many datagrams there are in a batch at most. Twice as many would be a few hundredths of a microsecond less for each, and twice
    /// the time for which nobody else is served.
    static let countMax = 64

    private let datagrams: UnsafeMutablePointer<twill_datagram>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutablePointer<sockaddr_storage>

    init() {
        unsafe datagrams = .allocate(capacity: Self.countMax)
        unsafe vectors = .allocate(capacity: Self.countMax)
        unsafe names = .allocate(capacity: Self.countMax)
        unsafe vectors.initialize(repeating: iovec(), count: Self.countMax)
        unsafe names.initialize(repeating: sockaddr_storage(), count: Self.countMax)
        for index in 0..<Self.countMax {
            var header = unsafe twill_datagram()
            unsafe header.message.msg_iov = vectors + index
            unsafe header.message.msg_iovlen = 1
            unsafe header.message.msg_name = UnsafeMutableRawPointer(names + index)
            unsafe header.message.msg_namelen = Self.nameLengthMax
            unsafe (datagrams + index).initialize(to: header)
        }
    }

    /// Gives the memory back; whoever made it calls this once.
    func free() {
        unsafe datagrams.deallocate()
        unsafe vectors.deallocate()
        unsafe names.deallocate()
    }

    static var nameLengthMax: socklen_t { socklen_t(MemoryLayout<sockaddr_storage>.size) }

    /// Says where a datagram's bytes are, or shall go.
    @inline(__always)
    func setBytes(_ index: Int, _ bytes: UnsafeMutableRawPointer?, _ count: Int) {
        unsafe vectors[index].iov_base = bytes
        unsafe vectors[index].iov_len = count
    }

    /// How many bytes there are, or is room for.
    @inline(__always)
    func byteCount(_ index: Int) -> Int { unsafe vectors[index].iov_len }

    /// Where the bytes are.
    @inline(__always)
    func bytes(_ index: Int) -> UnsafeMutableRawPointer? { unsafe vectors[index].iov_base }

    /// Makes a datagram go to an address, or, for nil, to where its socket is connected.
    @inline(__always)
    func setAddress(_ index: Int, _ address: Address?, isMapped: Bool) {
        if let address {
            let name = unsafe UnsafeMutableRawPointer(names + index)
            unsafe datagrams[index].message.msg_name = name
            unsafe datagrams[index].message.msg_namelen = address.store(at: name, isMapped: isMapped)
        } else {
            unsafe datagrams[index].message.msg_name = nil
            unsafe datagrams[index].message.msg_namelen = 0
        }
    }

    /// Where a datagram came from or is going; nil where that is its socket's peer.
    @inline(__always)
    func address(_ index: Int) -> Address? {
        unsafe datagrams[index].message.msg_namelen == 0
            ? nil
            : Address(names[index], length: Int(datagrams[index].message.msg_namelen))
    }

    /// Makes room for the next address in the place of the one that came.
    @inline(__always)
    func resetAddress(_ index: Int) {
        unsafe datagrams[index].message.msg_namelen = Self.nameLengthMax
    }

    /// How many bytes came, and whether that was not all.
    @inline(__always)
    func received(_ index: Int) -> (count: Int, isTruncated: Bool) {
        unsafe (Int(datagrams[index].length), datagrams[index].message.msg_flags & twill_truncated_flag != 0)
    }

    /// Receives into the first places (`recvmmsg`); how many datagrams came, or -1 with errno.
    @inline(__always)
    func receive(from descriptor: CInt, atMost count: Int) -> Int {
        Int(unsafe twill_receive_datagrams(descriptor, datagrams, CUnsignedInt(truncatingIfNeeded: count)))
    }

    /// Sends datagrams from a place on (`sendmmsg`); how many the system took, or -1 with errno.
    @inline(__always)
    func send(from first: Int, count: Int, to descriptor: CInt) -> Int {
        Int(unsafe twill_send_datagrams(descriptor, datagrams + first, CUnsignedInt(truncatingIfNeeded: count)))
    }

    /// The most bytes that a run has; the system takes no more.
    private static let runBytesMax = 65_000

    /// How many datagrams from a place on go to one address and are of one size, up to the last, which may be shorter; at least one.
    ///
    /// - Parameter sizeMax: longer ones are in no run; neither are empty ones.
    func runLength(from first: Int, before end: Int, sizeMax: Int) -> Int {
        let size = byteCount(first)
        guard size > 0, size <= sizeMax else { return 1 }
        var index = first + 1
        var total = size
        while index < end, byteCount(index) > 0, byteCount(index) <= size, isSameAddress(first, index) {
            total += byteCount(index)
            guard total <= Self.runBytesMax else { break }
            index += 1
            if byteCount(index - 1) < size { break }
        }
        return index - first
    }

    private func isSameAddress(_ one: Int, _ other: Int) -> Bool {
        let length = unsafe datagrams[one].message.msg_namelen
        // As much of both names was stored as their lengths say.
        return unsafe datagrams[other].message.msg_namelen == length && memcmp(names + one, names + other, Int(length)) == 0
    }

    /// Sends a run in one piece, which the system cuts (`UDP_SEGMENT`); false, with errno, where it took none of it.
    func sendRun(from first: Int, count: Int, to descriptor: CInt) -> Bool {
        unsafe twill_send_run(descriptor, datagrams + first, CUnsignedInt(truncatingIfNeeded: count)) == 0
    }
}
