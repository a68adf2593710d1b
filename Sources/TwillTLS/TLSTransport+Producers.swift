import Logging
import Twill

/// Producers: what the protocol has registered here writes here, while what waits is the transport's below. So this side registers itself there.
extension TLSTransport {
    /// How often a pull producer is asked on one turn.
    private static let pullsPerTurn = 8

    var marks: WaterMarks { flow?.marks ?? inner.waterMarks }

    func setMarks(_ marks: WaterMarks) {
        if let flow { flow.marks = marks }
        setMarksBelow(marks)
        noteUnsent()
    }

    func register(_ producer: any Producer, streaming: Bool) throws {
        guard flow?.producer == nil else { throw ProducerError.alreadyRegistered }
        guard stream.takesOutput else {
            return callProducer("stopProducing") { try producer.stopProducing() }
        }
        let flow = flowControl()
        flow.register(producer, streaming: streaming)
        watchPressure()
        if streaming {
            noteUnsent()
        } else {
            mayWrite = false
            pullOnce(producer)
            pullLater()
        }
    }

    func letProducerGo() {
        guard takeProducer() != nil else { return }
        // An end that waited for it may go on; the transport below has to take the last of it.
        if stream.phase == .finishing || stream.phase == .closing { return settle() }
        letPressureGo()
    }

    private func flowControl() -> FlowControl {
        if let flow { return flow }
        let made = FlowControl(marks: inner.waterMarks)
        flow = made
        return made
    }

    private func takeProducer() -> (any Producer)? {
        defer { mayWrite = stream.takesOutput }
        return flow?.unregister()
    }

    /// Lets the producer go, and tells it that the connection has ended.
    func stopProducer() {
        guard let producer = takeProducer() else { return }
        callProducer("stopProducing") { try producer.stopProducing() }
    }

    /// Whether a producer may still have something to write.
    var waitsForProducer: Bool { flow?.producer?.hasMore ?? false }

    /// Whether a write is taken although not everybody may write: a producer is waited for.
    func takesProducersOutput() -> Bool {
        guard let flow, flow.producer != nil, stream.sends else { return false }
        flow.hasWritten = true
        if flow.pulls, !flow.isPulling { pullLater() }
        return true
    }

    /// Tells a push producer what the number of waiting bytes means for it.
    func noteUnsent() {
        guard let flow, let producer = flow.producer else { return }
        switch flow.noteUnsent(bufferedByteCount) {
        case .pause: callProducer("pauseProducing") { try producer.pauseProducing() }
        case .resume: callProducer("resumeProducing") { try producer.resumeProducing() }
        case nil: break
        }
    }

    private func pullLater() {
        guard let pressure, !pressure.willPull else { return }
        pressure.willPull = true
        inner.callLater(.zero) { [weak self] in
            self?.pressure?.willPull = false
            self?.pull()
        }
    }

    /// Asks a pull producer for more, for as long as the transport below takes it, to a limit.
    func pull() {
        guard let flow, !flow.isPulling else { return }
        for _ in 0..<Self.pullsPerTurn {
            workspace.flush(self)
            guard flow.pulls, let producer = flow.producer, bufferedByteCount == 0, flow.hasWritten, stream.sends else { return }
            pullOnce(producer)
        }
        pullLater()
    }

    private func pullOnce(_ producer: any Producer) {
        guard let flow else { return }
        flow.isPulling = true
        flow.hasWritten = false
        callProducer("resumeProducing") { try producer.resumeProducing() }
        flow.isPulling = false
    }

    private func callProducer(_ callback: String, _ call: () throws -> Void) {
        do {
            try call()
        } catch {
            callbackThrew(error, in: "producer.\(callback)")
            // The connection closes now, and would wait in vain for one that failed.
            stopProducer()
            settle()
        }
    }

    func log(_ error: any Error, in callback: String) {
        reactor.logger.log(error, thrownIn: callback, of: handler, peer)
    }

    // The transport below.

    /// Whether the layer has to know when everything has left, and not only when much waits.
    private var wantsEmptiness: Bool { isDraining || flow?.pulls == true }

    private func setMarksBelow(_ marks: WaterMarks) {
        let marks = wantsEmptiness ? WaterMarks(low: 0, high: 0, limit: marks.limit) : marks
        if inner.waterMarks != marks { inner.waterMarks = marks }
    }

    /// Waits for everything that was written to leave.
    func drain() {
        isDraining = true
        watchPressure()
    }

    /// Has itself told how much waits below.
    func watchPressure() {
        // The marks that hold are the transport's own as long as nobody has set others.
        let marks = flowControl().marks
        if pressure == nil {
            let pressure = TLSPressure(self)
            self.pressure = pressure
            // Nobody but the layer writes there; whoever produced before TLS has begun was let go then.
            try? inner.registerProducer(pressure, streaming: true)
        }
        setMarksBelow(marks)
    }

    /// Does not need to know any more.
    func letPressureGo() {
        isDraining = false
        guard pressure != nil else { return }
        pressure = nil
        inner.unregisterProducer()
        setMarksBelow(marks)
    }

    /// The transport below has room again, or has less of it.
    func pressureChanged(isFull: Bool) {
        noteUnsent()
        guard !isFull else { return }
        if flow?.pulls == true { pullLater() }
        if stream.phase == .finishing || stream.phase == .closing { settle() }
    }
}

/// What the transport below takes the layer for: a producer, which it pauses and resumes.
final class TLSPressure: Producer {
    private weak var transport: TLSTransport?
    var willPull = false

    init(_ transport: TLSTransport) {
        self.transport = transport
    }

    func pauseProducing() { transport?.pressureChanged(isFull: true) }

    func resumeProducing() { transport?.pressureChanged(isFull: false) }

    // The producer is told when the layer is.
    func stopProducing() {}

    // It lets itself go as soon as there is nothing more to say.
    var hasMore: Bool { transport != nil }
}
