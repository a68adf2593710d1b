/// The reactor's one buffer for datagrams that arrive: a place for each of a batch, of the size that the port wants.
///
/// What is in it stays until the next batch of any port. A handle to memory that the reactor frees, see ``UDPBatch``.
@safe
struct UDPIntake {
    /// 64 bytes lie between two places, so that the beginnings of all of them don't fall on the same lines of the processor's cache.
    private static let gap = 64
    private static let capacity = UDPBatch.countMax * stride(forSize: sizeMax)
    /// The longest datagram there is.
    static let sizeMax = 65535

    private let batch: UDPBatch
    private let memory: UnsafeMutableRawPointer
    /// The size of place that the batch is laid out for.
    private let layout: UnsafeMutablePointer<Int>

    init() {
        batch = UDPBatch()
        // Pages in which nothing has arrived are never touched.
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 4096)
        unsafe layout = .allocate(capacity: 1)
        unsafe layout.initialize(to: 0)
    }

    /// Gives the memory back; the reactor calls it once, when no port is left.
    func free() {
        batch.free()
        unsafe memory.deallocate()
        unsafe layout.deallocate()
    }

    private static func stride(forSize size: Int) -> Int { (size + 63) / 64 * 64 + gap }

    /// Takes what has arrived at a socket; how many datagrams, or -1 with errno.
    @inline(__always)
    func receive(from descriptor: CInt, atMost count: Int, size: Int) -> Int {
        if unsafe layout.pointee != size { lay(out: size) }
        return batch.receive(from: descriptor, atMost: count)
    }

    private func lay(out size: Int) {
        let stride = Self.stride(forSize: size)
        for index in 0..<UDPBatch.countMax {
            unsafe batch.setBytes(index, memory + index * stride, size)
        }
        unsafe layout.pointee = size
    }

    /// Lends one of the datagrams that came last, once.
    @inline(__always)
    func take(_ index: Int, _ body: (_ data: Span<UInt8>, _ sender: Address, _ isTruncated: Bool) -> Void) {
        let (count, isTruncated) = batch.received(index)
        // Only a UNIX socket can be without a name.
        let sender = batch.address(index) ?? .unix("")
        batch.resetAddress(index)
        // The place has room for so many, and nobody writes there before the next batch.
        let bytes = unsafe UnsafeBufferPointer(start: batch.bytes(index)?.assumingMemoryBound(to: UInt8.self), count: count)
        unsafe body(Span(_unsafeElements: bytes), sender, isTruncated)
    }

    /// Whether bytes lie in here, where they stay as they are until the next batch.
    @inline(__always)
    func holds(_ bytes: UnsafeRawPointer) -> Bool {
        unsafe UInt(bitPattern: bytes) &- UInt(bitPattern: memory) < UInt(Self.capacity)
    }
}
