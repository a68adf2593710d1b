/// A stream transport as its producer's side sees it: pausing and resuming one that pushes, asking one that pulls.
///
/// The transport itself says what waits to be sent, and comes back later. Everything else about producers is here, for every kind of stream.
package protocol ProducingTransport: Transport {
    /// The producer and its marks; nil until one of them is needed.
    var flow: FlowControl? { get set }
    var stream: StreamState { get }
    /// Whether anybody may write, and nobody needs to be told of it.
    var takesOutput: Bool { get set }
    /// The marks until others are set.
    var defaultMarks: WaterMarks { get }
    /// How many unsent bytes count against the marks.
    var pressure: Int { get }
    /// Whether nothing waits to be sent.
    var hasSentAll: Bool { get }

    /// Offers what was written to whoever sends it.
    func flushOutput()
    /// Comes back on the next turn, by ``pull()`` and ``settle()``.
    func comeBack()
    /// Does what was put off until nothing waits any more.
    func settle()
    /// A sign of life: a peer that takes bytes is not given up.
    func noteProgress()
    /// A producer has begun to be paused, or has ended to be.
    func producerPauses(_ pauses: Bool)
    /// A producer begins, not paused.
    func producerBegins()
}

/// How often a pull producer is asked on one turn, so that one connection's file does not hold up the others.
private let pullsPerTurn = 8

extension ProducingTransport {
    package func producerBegins() {}

    package func setMarks(_ marks: WaterMarks) {
        flowControl().marks = marks
        noteUnsent()
    }

    package func register(_ producer: any Producer, streaming: Bool) throws {
        guard flow?.producer == nil else { throw ProducerError.alreadyRegistered }
        guard stream.takesOutput else {
            return callProducer("stopProducing") { try producer.stopProducing() }
        }
        flowControl().register(producer, streaming: streaming)
        producerBegins()
        if streaming {
            noteUnsent()
        } else {
            takesOutput = false
            pullOnce(producer)
            comeBack()
        }
    }

    package func letProducerGo() {
        guard takeProducer() != nil else { return }
        // A connection that waited for the producer may go on to its end.
        comeBack()
    }

    private func flowControl() -> FlowControl {
        if let flow { return flow }
        let made = FlowControl(marks: defaultMarks)
        flow = made
        return made
    }

    private func takeProducer() -> (any Producer)? {
        if flow?.isPaused == true { producerPauses(false) }
        defer { takesOutput = stream.takesOutput }
        return flow?.unregister()
    }

    /// Lets the producer go, and tells it that the connection has ended.
    package func stopProducer() {
        guard let producer = takeProducer() else { return }
        callProducer("stopProducing") { try producer.stopProducing() }
    }

    /// Whether a producer may still have something to write.
    package var waitsForProducer: Bool { flow?.producer?.hasMore ?? false }

    /// Whether a write is taken although not everybody may write: a producer is waited for. It counts as a sign of life.
    @inline(never)
    package func takesProducersOutput() -> Bool {
        guard let flow, flow.producer != nil, stream.sends else { return false }
        flow.hasWritten = true
        noteProgress()
        if flow.pulls, !flow.isPulling { comeBack() }
        return true
    }

    /// Tells a push producer what the number of waiting bytes means for it.
    package func noteUnsent() {
        guard let flow, let producer = flow.producer else { return }
        switch flow.noteUnsent(pressure) {
        case .pause:
            producerPauses(true)
            callProducer("pauseProducing") { try producer.pauseProducing() }
        case .resume:
            producerPauses(false)
            callProducer("resumeProducing") { try producer.resumeProducing() }
        case nil: break
        }
    }

    /// Everything that was written has left.
    package func outputLeft() {
        if waitsForProducer {
            if flow?.pulls == true { comeBack() }
        } else {
            settle()
        }
    }

    /// Asks a pull producer for more, for as long as what it writes leaves at once, to a limit.
    package func pull() {
        guard let flow, !flow.isPulling else { return }
        for _ in 0..<pullsPerTurn {
            flushOutput()
            guard flow.pulls, let producer = flow.producer, hasSentAll, flow.hasWritten, stream.sends else { return }
            pullOnce(producer)
        }
        comeBack()
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
            comeBack()
        }
    }
}
