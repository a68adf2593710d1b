@testable import Twill

/// A producer that notes what it is told, and does what the test hung on each call.
final class RecordingProducer: Producer {
    private(set) var events: [String] = []
    var whenPaused: () throws -> Void = {}
    var whenResumed: () throws -> Void = {}
    var whenStopped: () throws -> Void = {}

    func pauseProducing() throws {
        events.append("pause")
        try whenPaused()
    }

    func resumeProducing() throws {
        events.append("resume")
        try whenResumed()
    }

    func stopProducing() throws {
        events.append("stop")
        try whenStopped()
    }
}
