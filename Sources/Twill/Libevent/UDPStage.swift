#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The reactor's one place in which the datagrams that a callback writes are gathered, so that many replies cost one system call.
///
/// It belongs to one port at a time: the one that wrote last. It is sent when the callback returns, when another port writes, or when it is
/// full. Invariant: `owner` is nil exactly when `count` is 0, and `owner` is open.
///
/// A handle to memory that the reactor frees, as ``WriteStage`` is.
@safe
struct UDPStage {
    /// Room for the longest datagram there is.
    private static let capacity = 64 << 10

    @safe
    private struct State {
        var count = 0
        /// How many bytes are copied here.
        var used = 0
        // Not retained, because it changes with every write: a port that closes sends what is here first.
        var owner: Unmanaged<UDPPort>?
        /// Made for the first port.
        var room: Room?
    }

    @safe
    private struct Room {
        let batch = UDPBatch()
        // Pages that no write reaches are never touched.
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: UDPStage.capacity, alignment: 4096)
        let intake: UDPIntake
    }

    private let state: UnsafeMutablePointer<State>

    init() {
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State())
    }

    /// Makes room, before the first port writes.
    func prepare(for intake: UDPIntake) {
        unsafe state.pointee.room = Room(intake: intake)
    }

    /// Gives the memory back; the reactor calls it once, when no port is left.
    func free() {
        if let room {
            room.batch.free()
            unsafe room.bytes.deallocate()
        }
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    private var room: Room? {
        // Only the reactor's thread reaches this memory, and it lives as long as the reactor.
        unsafe state.pointee.room
    }

    private var count: Int {
        get { unsafe state.pointee.count }
        nonmutating set { unsafe state.pointee.count = newValue }
    }

    /// Takes a datagram for a port that is open; one that the longest datagram is not shorter than.
    @inline(__always)
    func append(_ data: Span<UInt8>, to address: Address?, for port: UDPPort) {
        guard let room else { return }
        if count == 0 {
            unsafe state.pointee.owner = Unmanaged.passUnretained(port)
        } else if !hasRoom(data.count, for: port) {
            flush()
            unsafe state.pointee.owner = Unmanaged.passUnretained(port)
        }
        let index = count
        unsafe data.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return unsafe room.batch.setBytes(index, nil, 0) }
            if unsafe room.intake.holds(start) {
                // An answer made of the question: it stays where it is until the next batch, before which this one is sent.
                return unsafe room.batch.setBytes(index, UnsafeMutableRawPointer(mutating: start), source.count)
            }
            // `hasRoom` was asked, or the stage is empty.
            let place = unsafe room.bytes + state.pointee.used
            unsafe memcpy(place, start, source.count)
            unsafe state.pointee.used += source.count
            unsafe room.batch.setBytes(index, place, source.count)
        }
        room.batch.setAddress(index, address, isMapped: port.isIPv6)
        count = index + 1
    }

    @inline(__always)
    private func hasRoom(_ size: Int, for port: UDPPort) -> Bool {
        let isRoomy = unsafe state.pointee.used + size <= Self.capacity
        return isRoomy && count < UDPBatch.countMax && belongs(to: port)
    }

    @inline(__always)
    private func belongs(to port: UDPPort) -> Bool {
        // Addresses are only compared here.
        unsafe state.pointee.owner.map { unsafe UInt(bitPattern: $0.toOpaque()) } ?? 0
            == UInt(bitPattern: Unmanaged.passUnretained(port).toOpaque())
    }

    /// Sends what is here.
    @inline(__always)
    func flush() {
        if count > 0 { send() }
    }

    /// Sends what is here if it belongs to the port.
    func flush(_ port: UDPPort) {
        if belongs(to: port) { send() }
    }

    @inline(never)
    private func send() {
        guard let owner = unsafe state.pointee.owner, let room else { return }
        let size = count
        count = 0
        unsafe state.pointee.used = 0
        unsafe state.pointee.owner = nil
        // An owner is open, and an open port is kept by the reactor's list.
        unsafe owner._withUnsafeGuaranteedRef { $0.send(room.batch, count: size) }
    }
}
