import COpenSSL
import Twill

/// The memory that all TLS connections of a reactor share: where they decrypt to, where their records are made, and where what is written is
/// gathered, so that ten small writes of a callback become one record.
///
/// It belongs to the reactor's thread, and ends with its reactor's handle. What is lent of it while a protocol is called is not lent again
/// meanwhile: there is another buffer for each level of calls.
@safe
final class TLSWorkspace: CallbackEnding {
    /// As much as a record holds.
    static let recordBytes = 16 << 10
    /// How much is decrypted at a time, and how much is encrypted at a time where much is written.
    private static let plaintextBytes = 64 << 10
    static let sliceBytes = 64 << 10
    private static let outputBytes = sliceBytes + 4096

    /// Where OpenSSL reads and writes.
    let io: UnsafeMutablePointer<twill_tls_io>
    /// An output buffer that is not in use. More than two are needed only where connections write to each other.
    private var spare: UnsafeMutablePointer<UInt8>?
    private var plaintexts: [UnsafeMutableRawBufferPointer] = unsafe []
    private var plaintextsLent = 0

    private let gathered: UnsafeMutableRawPointer
    private var gatheredCount = 0
    /// Who has written what is gathered; nil where nothing is.
    private var writer: TLSTransport?
    private var willEnd = false

    /// How many more handshakes may take a step on this turn.
    private var stepsLeft = stepsPerTurn
    private var willAllowSteps = false
    private static let stepsPerTurn = 16

    private init() {
        unsafe io = .allocate(capacity: 1)
        unsafe io.initialize(to: twill_tls_io())
        unsafe gathered = .allocate(byteCount: Self.recordBytes, alignment: 64)
        unsafe io.pointee.output = Self.makeOutput()
        unsafe io.pointee.output_capacity = Self.outputBytes
    }

    deinit {
        unsafe free(io.pointee.output)
        unsafe free(spare)
        unsafe plaintexts.forEach { unsafe $0.deallocate() }
        unsafe gathered.deallocate()
        unsafe io.deallocate()
    }

    /// The one of a reactor.
    static func of(_ reactor: any Reactor) -> TLSWorkspace {
        reactor.handle.belonging { TLSWorkspace() }
    }

    private static func makeOutput() -> UnsafeMutablePointer<UInt8> {
        guard let memory = unsafe malloc(outputBytes) else { preconditionFailure("there is no memory left for a buffer") }
        return unsafe memory.assumingMemoryBound(to: UInt8.self)
    }

    // Output.

    /// Whether records wait to be sent.
    @inline(__always)
    var hasOutput: Bool { unsafe io.pointee.output_count > 0 }

    /// Lends the records that the last call of OpenSSL has made. Other connections make theirs elsewhere meanwhile.
    @inline(__always)
    func takeOutput(_ body: (Span<UInt8>) -> Void) {
        let count = unsafe io.pointee.output_count
        guard count > 0, let records = unsafe io.pointee.output else { return }
        let capacity = unsafe io.pointee.output_capacity
        unsafe io.pointee.output = spare ?? Self.makeOutput()
        unsafe spare = nil
        unsafe io.pointee.output_capacity = Self.outputBytes
        unsafe io.pointee.output_count = 0
        // Nobody else has this buffer until it is among the spare ones.
        unsafe body(Span(_unsafeElements: UnsafeBufferPointer(start: records, count: count)))
        if unsafe capacity == Self.outputBytes && spare == nil { unsafe spare = records } else { unsafe free(records) }
    }

    /// Forgets the records that the last call of OpenSSL has made.
    func dropOutput() {
        unsafe io.pointee.output_count = 0
    }

    // Plaintext.

    /// Lends a buffer for what is decrypted.
    @inline(__always)
    func withPlaintextBuffer<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        if unsafe plaintextsLent == plaintexts.count {
            // Put together anew, so that reading them costs no exclusivity check.
            unsafe plaintexts = plaintexts + [.allocate(byteCount: Self.plaintextBytes, alignment: 4096)]
        }
        let buffer = unsafe plaintexts[plaintextsLent]
        plaintextsLent += 1
        defer { plaintextsLent -= 1 }
        return unsafe body(buffer)
    }

    // Gathering.

    /// Takes bytes that a transport writes, and puts them into a record with what it has written before in this callback.
    @inline(__always)
    func gather(_ data: Span<UInt8>, for transport: TLSTransport) {
        if data.count >= Self.recordBytes {
            flushAll()
            return transport.encrypt(data)
        }
        if writer !== transport || gatheredCount &+ data.count > Self.recordBytes {
            makeRoom(data.count, for: transport)
            // What was gathered of it before may have had to wait; this comes behind that.
            if transport.isBlocked { return transport.keep(data) }
        }
        unsafe data.withUnsafeBytes { source in
            // There is room: that was looked at just now.
            if let start = source.baseAddress { unsafe memcpy(gathered + gatheredCount, start, source.count) }
        }
        gatheredCount &+= data.count
        if !transport.isInCallback { flushAtEndOfCallback(of: transport) }
    }

    /// Sends what is gathered until a transport may add so many bytes.
    ///
    /// Sending calls producers, and is a write where the transport below speaks TLS, too: what they write meanwhile is gathered here, and goes first.
    private func makeRoom(_ count: Int, for transport: TLSTransport) {
        while writer !== transport || gatheredCount &+ count > Self.recordBytes {
            flush()
            if writer == nil { writer = transport }
        }
    }

    /// The same for a frame's three parts.
    @inline(__always)
    func gather(_ prefix: FrameEdge, _ body: Span<UInt8>, _ suffix: FrameEdge, for transport: TLSTransport) -> Bool {
        let size = prefix.count &+ body.count &+ suffix.count
        guard writer === transport, gatheredCount &+ size &+ FrameEdge.countMax <= Self.recordBytes else { return false }
        // An edge is stored whole, eight bytes, and what is too much of it is overwritten by what comes next: there is room for that.
        let start = unsafe gathered + gatheredCount
        let payload = unsafe start + prefix.count
        unsafe start.storeBytes(of: prefix.word.littleEndian, as: UInt64.self)
        unsafe (payload + body.count).storeBytes(of: suffix.word.littleEndian, as: UInt64.self)
        unsafe body.withUnsafeBytes { source in
            if let first = source.baseAddress { unsafe memcpy(payload, first, source.count) }
        }
        gatheredCount &+= size
        return true
    }

    private func flushAtEndOfCallback(of transport: TLSTransport) {
        guard !willEnd else { return }
        willEnd = true
        transport.reactor.handle.atEndOfCallback(self)
    }

    func callbackEnds() {
        flushAll()
        willEnd = false
    }

    /// Sends what is gathered, and what is written by that.
    private func flushAll() {
        while writer != nil { flush() }
    }

    /// Sends what is gathered, as one record.
    @inline(__always)
    func flush() {
        guard let transport = writer else { return }
        writer = nil
        let count = gatheredCount
        gatheredCount = 0
        // Nothing is gathered before this has been encrypted: OpenSSL calls nobody who writes.
        if count > 0 {
            let record = unsafe Span(
                _unsafeElements: UnsafeBufferPointer(start: gathered.assumingMemoryBound(to: UInt8.self), count: count))
            if !transport.encryptRecord(record) { transport.keepFirst(record) }
        }
    }

    /// Sends what is gathered of one transport.
    @inline(__always)
    func flush(_ transport: TLSTransport) {
        if writer === transport { flush() }
    }

    /// Drops what a transport has written.
    func forget(_ transport: TLSTransport) {
        guard writer === transport else { return }
        writer = nil
        gatheredCount = 0
    }

    // Handshakes.

    /// Whether a handshake may take a step on this turn.
    var hasSteps: Bool { stepsLeft > 0 }

    /// Takes one of the steps that handshakes may take on this turn; false where they are used up. A step may take a millisecond, and a crowd of
    /// clients must not hold up those whose connections are made.
    func takeStep(on reactor: any Reactor) -> Bool {
        guard stepsLeft > 0 else { return false }
        stepsLeft -= 1
        if !willAllowSteps {
            willAllowSteps = true
            reactor.callLater(.zero) { [weak self] in
                self?.willAllowSteps = false
                self?.stepsLeft = Self.stepsPerTurn
            }
        }
        return true
    }
}
