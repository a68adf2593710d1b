import Twill

/// A producer that notes what it is told, and does what the case hung on each call.
final class CallRecordingProducer: Producer {
    enum Call: Equatable {
        case pause, resume, stop
    }

    let transport: Transport
    private(set) var calls: [Call] = []
    var whenPaused: ((CallRecordingProducer) throws -> Void)?
    var whenResumed: ((CallRecordingProducer) throws -> Void)?
    var whenStopped: ((CallRecordingProducer) throws -> Void)?

    init(_ transport: Transport, whenResumed: ((CallRecordingProducer) throws -> Void)? = nil) {
        self.transport = transport
        self.whenResumed = whenResumed
    }

    /// How many times it was told to go on.
    var resumeCount: Int { calls.count { $0 == .resume } }

    func pauseProducing() throws {
        calls.append(.pause)
        try whenPaused?(self)
    }

    func resumeProducing() throws {
        calls.append(.resume)
        try whenResumed?(self)
    }

    func stopProducing() throws {
        calls.append(.stop)
        try whenStopped?(self)
    }
}
