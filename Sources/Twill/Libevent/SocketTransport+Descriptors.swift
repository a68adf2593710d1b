#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Passing descriptors over UNIX sockets.
extension SocketTransport {
    /// Whether descriptors can be passed.
    private var isUNIX: Bool {
        if case .unix = peer { true } else { false }
    }

    /// Looks how input has to be received for the protocol that is there now.
    func noteReceiver() {
        receivesPlainly = pipes == nil && !(isUNIX && handler?.descriptorReceiver != nil)
    }

    func send(_ data: Span<UInt8>, passing descriptors: [CInt]) throws {
        guard !descriptors.isEmpty else { return write(data) }
        guard isUNIX else { throw DescriptorPassingError.notUNIX }
        guard !data.isEmpty else { throw DescriptorPassingError.noBytes }
        guard descriptors.count <= DescriptorPassingError.descriptorsMax else { throw DescriptorPassingError.tooMany(descriptors.count) }
        let copies = try PassedDescriptors.copies(of: descriptors)
        guard takesOutput || takesProducersOutput() else { return PassedDescriptors.close(copies) }
        loop.stage.flush(self)
        var areTaken = false
        unsafe data.withUnsafeBytes { bytes in
            queue { unsent throws(SystemError) in
                areTaken = true
                unsafe try unsent.append(copies, with: bytes)
            }
        }
        if !areTaken { PassedDescriptors.close(copies) }
    }

    /// Receives, and hands on the descriptors that came along.
    @inline(never)
    func receiveDescriptors(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var passed: [CInt] = []
        let count = unsafe socket.receive(into: buffer) { passed.append($0) }
        let failure = systemErrno
        for descriptor in passed {
            // Only who is there still can take it.
            guard count > 0, state == .connected, let receiver = handler?.descriptorReceiver else {
                systemClose(descriptor)
                continue
            }
            do {
                try receiver.descriptorReceived(descriptor)
            } catch {
                callbackThrew(error, in: "descriptorReceived")
            }
        }
        // The connection was closed meanwhile: what came with the descriptors has no taker either.
        guard count <= 0 || state == .connected else {
            errno = EAGAIN
            return -1
        }
        errno = failure
        return count
    }
}
