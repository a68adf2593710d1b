import CLibevent

/// What a socket would not take: a bufferevent that sends it in order as room appears.
///
/// It lives from the first byte that the socket refused to the moment when the last has left, so that a connection whose peer keeps up owns
/// no buffer. Only its writing side is ever on.
@safe
final class UnsentBytes {
    /// How many bytes one writable moment may send. The bufferevent's own limit of 16 KiB would cost a turn of the loop for each 16 KiB.
    private static let bytesPerTurn = 1 << 20
    /// How many descriptors may wait before the output counts as full, as in Twisted.
    private static let passedMax = 64

    private let bufferEvent: OpaquePointer
    private let counters: ConnectionCounters
    /// How many bytes wait, as far as they were counted.
    private var counted = 0
    /// What waits behind the bufferevent's bytes because a descriptor goes first; only ever on a UNIX socket.
    private var passed = PassedDescriptors()
    /// Waits for room for descriptors where no bytes do.
    private var roomEvent: Event?
    private let base: EventBase
    private let descriptor: CInt
    private let context: UnsafeMutableRawPointer

    /// Begins to wait for room in the transport's socket.
    ///
    /// The transport is called back and not kept alive: it drops this object before it goes.
    init(of transport: SocketTransport, base: EventBase, descriptor: CInt) throws(SystemError) {
        // A nil can only mean that memory ran out: the options are fixed.
        guard let bufferEvent = unsafe bufferevent_socket_new(base.pointer, descriptor, 0) else {
            throw SystemError(call: "bufferevent_socket_new", errno: ENOMEM)
        }
        unsafe self.bufferEvent = bufferEvent
        (self.base, self.descriptor) = (base, descriptor)
        unsafe context = Unmanaged.passUnretained(transport).toOpaque()
        counters = transport.counters
        unsafe bufferevent_disable(bufferEvent, CShort(EV_READ))
        unsafe bufferevent_set_max_single_write(bufferEvent, Self.bytesPerTurn)
        // So that every move is told, not only the last.
        unsafe bufferevent_setwatermark(bufferEvent, CShort(EV_WRITE), .max, 0)
        // The context is the transport, which owns this object and so outlives every callback.
        unsafe bufferevent_setcb(
            bufferEvent, nil,
            { _, context in
                unsafe SocketTransport.withContext(context) { $0.unsentBytesMoved() }
            },
            { _, what, context in
                unsafe SocketTransport.withContext(context) { $0.sendingFailed(what) }
            },
            context)
        unsafe bufferevent_enable(bufferEvent, CShort(EV_WRITE))
    }

    deinit {
        counters.count { $0.unsentBytes -= counted }
        // The events leave the loop at once; the memory follows on its next turn. The descriptor is not the bufferevent's to close.
        unsafe bufferevent_free(bufferEvent)
    }

    /// How many bytes wait.
    var count: Int { bufferedCount + passed.byteCount }

    private var bufferedCount: Int {
        unsafe evbuffer_get_length(bufferevent_get_output(bufferEvent))
    }

    /// How many bytes wait as flow control shall see it: descriptors are few, and each costs the system much.
    func pressure(_ marks: WaterMarks) -> Int {
        passed.count > Self.passedMax ? max(count, marks.high + 1) : count
    }

    /// Goes on after the socket took something: sends the descriptors whose turn it is, and counts what has left.
    func moveOn() throws(SystemError) {
        while bufferedCount == 0, !passed.isEmpty {
            guard let rest = try passed.sendFirst(over: Socket(descriptor: descriptor)) else {
                try waitForRoom()
                break
            }
            if !rest.isEmpty, !(unsafe rest.withUnsafeBytes { unsafe buffer($0) }) { throw Self.outOfMemory }
        }
        countSent()
    }

    private func waitForRoom() throws(SystemError) {
        if roomEvent == nil {
            roomEvent = unsafe try Event(
                base: base, descriptor: descriptor, interest: .write,
                callback: { _, _, context in
                    unsafe SocketTransport.withContext(context) { $0.unsentBytesMoved() }
                }, context: context)
        }
        try roomEvent?.add()
    }

    /// Counts what the socket took since this was asked last.
    private func countSent() {
        let sent = counted - count
        counted -= sent
        counters.count {
            $0.bytesSent += sent
            $0.unsentBytes -= sent
        }
    }

    private func countQueued(_ size: Int) {
        counted += size
        counters.count { $0.unsentBytes += size }
    }

    /// Queues a copy of bytes behind those that wait.
    func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        if !passed.isEmpty {
            unsafe passed.append(bytes)
        } else if !(unsafe buffer(bytes)) {
            throw Self.outOfMemory
        }
        countQueued(bytes.count)
    }

    /// Queues descriptors, which are taken over, and the bytes that they go with.
    func append(_ copies: [CInt], with bytes: UnsafeRawBufferPointer) throws(SystemError) {
        unsafe passed.append(copies, with: bytes)
        countQueued(bytes.count)
        try moveOn()
    }

    private func buffer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        unsafe bufferevent_write(bufferEvent, bytes.baseAddress, bytes.count) == 0
    }

    private static let outOfMemory = SystemError(call: "bufferevent_write", errno: ENOMEM)

    /// Queues shared bytes from an offset on, by reference.
    func append(_ shared: SharedBytes, from offset: Int) throws(SystemError) {
        guard passed.isEmpty else {
            unsafe shared.bytes.withUnsafeBytes { unsafe passed.append(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
            return countQueued(shared.count - offset)
        }
        let box = SharedBytesBox(shared)
        let retained = unsafe Unmanaged.passRetained(box)
        // libevent calls the last function exactly once, when the bytes are sent or dropped; until then the retain keeps them in place.
        let failed = unsafe box.storage.withUnsafeBytes { bytes in
            unsafe evbuffer_add_reference(
                bufferevent_get_output(bufferEvent), bytes.baseAddress.map { unsafe $0 + offset }, bytes.count - offset,
                { _, _, context in
                    if let context = unsafe context { unsafe Unmanaged<SharedBytesBox>.fromOpaque(context).release() }
                },
                retained.toOpaque()) != 0
        }
        if failed {
            unsafe retained.release()
            throw SystemError(call: "evbuffer_add_reference", errno: ENOMEM)
        }
        countQueued(shared.count - offset)
    }
}

/// Holds shared bytes for libevent. A native array's storage stays where it is for as long as somebody holds it.
private final class SharedBytesBox {
    let storage: [UInt8]

    init(_ shared: SharedBytes) {
        storage = shared.bytes
    }
}
