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
///
/// A handle to memory that the reactor frees, because each write of each connection comes through here: a class would cost a retain and a
/// release, a field of the reactor's an exclusivity check.
@safe
struct WriteStage {
    static let capacity = 64 << 10

    @safe
    private struct State {
        var count = 0
        // Not retained, because it changes with every write: a transport that closes takes itself out by `forget`.
        var owner: Unmanaged<SocketTransport>?
    }

    private let state: UnsafeMutablePointer<State>
    private let bytes: UnsafeMutableRawPointer

    init() {
        unsafe state = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe state.initialize(to: State())
        // Pages that no write reaches are never touched, so a small server does not pay for the whole capacity.
        unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: Self.capacity + FrameEdge.countMax, alignment: 4096)
    }

    /// Gives the memory back; the reactor calls it once, when no transport is left.
    func free() {
        unsafe state.deallocate()
        unsafe bytes.deallocate()
    }

    // Fields rather than one access to the whole, so that sending may come back here: only the reactor's thread reaches this memory, and it
    // lives as long as the reactor.
    private var count: Int {
        get { unsafe state.pointee.count }
        nonmutating set { unsafe state.pointee.count = newValue }
    }

    private var owner: Unmanaged<SocketTransport>? {
        get { unsafe state.pointee.owner }
        nonmutating set { unsafe state.pointee.owner = newValue }
    }

    /// Takes bytes for a transport that takes direct writes; false where they must go another way, because sending what was here met a
    /// full socket. A single write is smaller than the capacity.
    @inline(__always)
    func append(_ data: Span<UInt8>, for transport: SocketTransport) -> Bool {
        guard hasRoom(data.count, for: transport) else { return false }
        copy(data)
        return true
    }

    /// Takes a frame for a transport, where ``isReady(for:_:)`` has said yes.
    @inline(__always)
    func append(_ prefix: FrameEdge, _ body: Span<UInt8>, _ suffix: FrameEdge) {
        // An edge is stored whole, eight bytes: what is too much of the prefix is overwritten by the body, and of the suffix by whatever comes
        // next. There is room for it behind the stage's capacity.
        let start = unsafe bytes + count
        let payload = unsafe start + prefix.count
        count = count &+ prefix.count &+ body.count &+ suffix.count
        unsafe start.storeBytes(of: prefix.word.littleEndian, as: UInt64.self)
        unsafe (payload + body.count).storeBytes(of: suffix.word.littleEndian, as: UInt64.self)
        unsafe body.withUnsafeBytes { source in
            if let first = source.baseAddress { unsafe memcpy(payload, first, source.count) }
        }
    }

    @inline(__always)
    private func copy(_ data: Span<UInt8>) {
        unsafe data.withUnsafeBytes { source in
            if let start = source.baseAddress {
                // `hasRoom` was asked for all that is copied.
                unsafe memcpy(bytes + count, start, source.count)
            }
        }
        count += data.count
    }

    /// Makes the stage the transport's, with room for that many bytes; false where that was impossible, see ``append(_:for:)``.
    @inline(__always)
    func hasRoom(_ size: Int, for transport: SocketTransport) -> Bool {
        isReady(for: transport, size) || makeRoom(for: transport)
    }

    /// Whether that many bytes can be taken as it is.
    @inline(__always)
    func isReady(for transport: SocketTransport, _ size: Int) -> Bool {
        if count == 0 {
            unsafe owner = Unmanaged.passUnretained(transport)
            return true
        }
        return belongs(to: transport) && count &+ size <= Self.capacity
    }

    @inline(never)
    private func makeRoom(for transport: SocketTransport) -> Bool {
        flush()
        guard transport.takesDirectWrites else { return false }
        unsafe owner = Unmanaged.passUnretained(transport)
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
        unsafe owner.map { unsafe UInt(bitPattern: $0.toOpaque()) } ?? 0 == UInt(bitPattern: Unmanaged.passUnretained(transport).toOpaque())
    }
}
