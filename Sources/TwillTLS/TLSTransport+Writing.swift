import Twill

/// What is written, on its way into records: at once where that is possible, else kept in its order until it is.
extension TLSTransport {
    /// Keeps bytes until they can be encrypted.
    func keep(_ data: Span<UInt8>) {
        pending.append(copying: data)
        if pending.count > waterMarks.limit { apply(.abort(.unsentLimit)) }
        noteUnsent()
    }

    /// Sends what was kept.
    func sendPending() {
        while !pending.isEmpty, isSecure, !isWriting, stream.sends {
            let bytes = pending
            pending = []
            encrypt(bytes.span)
        }
        // The transport below says nothing where it has taken all of it.
        noteUnsent()
    }

    /// Encrypts bytes of any number, and sends them.
    func encrypt(_ data: Span<UInt8>) {
        guard !isBlocked else { return keep(data) }
        isWriting = true
        var position = 0
        while position < data.count, inner.state != .disconnected {
            let end = min(position + TLSWorkspace.sliceBytes, data.count)
            guard encryptRecord(data.extracting(position..<end)) else {
                keepFirst(data.extracting(position...))
                break
            }
            position = end
        }
        isWriting = isBlocked
        if !pending.isEmpty { sendPending() }
        // What was asked for meanwhile had to wait for the rest.
        if stream.phase == .closing || stream.phase == .finishing { settle() }
    }

    /// Encrypts what fits into the workspace at once, and sends it; false where it can't.
    @inline(__always)
    func encryptRecord(_ data: Span<UInt8>) -> Bool {
        guard engine.encrypt(data) else { return false }
        sendOutput()
        return true
    }

    /// Keeps what could not be encrypted, before everything that was written after it; drops it where that never will be.
    func keepFirst(_ data: Span<UInt8>) {
        workspace.dropOutput()
        guard !engine.isBroken else { return }
        (isBlocked, isWriting) = (true, true)
        pending.insert(contentsOf: [UInt8](copying: data), at: 0)
        noteUnsent()
    }

    /// Something has arrived: what could not be encrypted may be now.
    func unblock() {
        (isBlocked, isWriting) = (false, false)
        sendPending()
        guard !isBlocked else { return }
        deadline?.cancelIfActive()
        deadline = nil
        settle()
    }

    @inline(__always)
    func sendOutput() {
        workspace.takeOutput { inner.write($0) }
    }
}
