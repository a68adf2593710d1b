import Twill

/// Producers: pausing and resuming those that push, asking those that pull.
extension SimulatedTransport {
    /// How often a pull producer is asked on one turn.
    private static let pullsPerTurn = 8

    func setMarks(_ marks: WaterMarks) {
        flowControl().marks = marks
        noteUnsent()
    }

    func register(_ producer: any Producer, streaming: Bool) throws {
        guard flow?.producer == nil else { throw ProducerError.alreadyRegistered }
        guard stream.takesOutput else {
            return callProducer("stopProducing") { try producer.stopProducing() }
        }
        flowControl().register(producer, streaming: streaming)
        watch.producerBegins()
        if streaming {
            noteUnsent()
        } else {
            takesOutput = false
            pullOnce(producer)
            loop.visitLater(self)
        }
    }

    func letProducerGo() {
        guard takeProducer() != nil else { return }
        // A connection that waited for the producer may go on to its end.
        loop.visitLater(self)
    }

    private func flowControl() -> FlowControl {
        if let flow { return flow }
        let made = FlowControl(marks: options.waterMarks)
        flow = made
        return made
    }

    private func takeProducer() -> (any Producer)? {
        if flow?.isPaused == true { counters.count { $0.pausedProducers -= 1 } }
        defer { takesOutput = stream.takesOutput }
        return flow?.unregister()
    }

    /// Lets the producer go, and tells it that the connection has ended.
    func stopProducer() {
        guard let producer = takeProducer() else { return }
        callProducer("stopProducing") { try producer.stopProducing() }
    }

    /// Whether a producer may still have something to write.
    var waitsForProducer: Bool { flow?.producer?.hasMore ?? false }

    /// Whether a write is taken although not everybody may write: a producer is waited for. It counts as a sign of life.
    func takesProducersOutput() -> Bool {
        guard let flow, flow.producer != nil, stream.sends else { return false }
        flow.hasWritten = true
        noteProgress()
        if flow.pulls, !flow.isPulling { loop.visitLater(self) }
        return true
    }

    /// Tells a push producer what the number of waiting bytes means for it.
    func noteUnsent() {
        guard let flow, let producer = flow.producer else { return }
        switch flow.noteUnsent(bufferedByteCount) {
        case .pause:
            counters.count { $0.pausedProducers += 1 }
            watch.producer(pauses: true, on: socket)
            callProducer("pauseProducing") { try producer.pauseProducing() }
        case .resume:
            counters.count { $0.pausedProducers -= 1 }
            watch.producer(pauses: false, on: socket)
            callProducer("resumeProducing") { try producer.resumeProducing() }
        case nil: break
        }
    }

    /// Everything that was written has left.
    func outputLeft() {
        if waitsForProducer {
            if flow?.pulls == true { loop.visitLater(self) }
        } else {
            settle()
        }
    }

    /// Asks a pull producer for more, for as long as the socket takes it, to a limit.
    func pull() {
        guard let flow, !flow.isPulling else { return }
        for _ in 0..<Self.pullsPerTurn {
            flush()
            guard flow.pulls, let producer = flow.producer, output.isEmpty, flow.hasWritten, stream.sends else { return }
            pullOnce(producer)
        }
        loop.visitLater(self)
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
            loop.visitLater(self)
        }
    }
}
