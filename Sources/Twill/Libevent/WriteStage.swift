#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The reactor's one buffer in which the writes of a callback are gathered, so that ten replies cost one system call.
///
/// It belongs to one transport at a time: the one that wrote last. It is sent when the callback returns, when another transport writes, or
/// when it is full. Invariant: `owner` is nil exactly when `count` is 0, and `owner` is open.
@safe
final class WriteStage {
    static let capacity = 64 << 10

    private let bytes: UnsafeMutableRawPointer
    private var count = 0
    // Not retained, because it changes with every write: a transport that closes takes itself out by `forget`.
    private var owner: Unmanaged<SocketTransport>?

    init() {
        // Pages that no write reaches are never touched, so a small server does not pay for the whole capacity.
        unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: Self.capacity, alignment: 4096)
    }

    deinit {
        unsafe bytes.deallocate()
    }

    /// Takes bytes for a transport; false where they must go another way, because sending what was here met a full socket.
    @inline(__always)
    func append(_ data: Span<UInt8>, for transport: SocketTransport) -> Bool {
        let size = data.count
        if !belongs(to: transport) || count + size > Self.capacity {
            flush()
            guard transport.takesDirectWrites else { return false }
            unsafe owner = Unmanaged.passUnretained(transport)
        }
        // The guard above leaves room: a single write is smaller than the capacity.
        unsafe data.withUnsafeBytes { source in
            if let start = source.baseAddress {
                unsafe memcpy(bytes + count, start, size)
            }
        }
        count += size
        return true
    }

    /// Sends what is here.
    @inline(__always)
    func flush() {
        guard count > 0, let transport = unsafe owner else { return }
        let size = count
        count = 0
        unsafe owner = nil
        // An owner is open, and an open transport is kept by the reactor's table.
        unsafe transport._withUnsafeGuaranteedRef {
            unsafe $0.send(UnsafeRawBufferPointer(start: bytes, count: size))
        }
    }

    /// Sends what is here if it belongs to the transport.
    func flush(_ transport: SocketTransport) {
        if belongs(to: transport) { flush() }
    }

    /// Drops what a transport wrote.
    func forget(_ transport: SocketTransport) {
        guard belongs(to: transport) else { return }
        unsafe owner = nil
        count = 0
    }

    @inline(__always)
    private func belongs(to transport: SocketTransport) -> Bool {
        // Addresses are only compared here.
        unsafe owner?.toOpaque() == Unmanaged.passUnretained(transport).toOpaque()
    }
}
