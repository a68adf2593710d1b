/// A connection's producer, its water marks, and whose turn it is: what a transport with a producer has beside its ``StreamState``.
///
/// It calls nobody: it is told how many bytes wait, and answers what the producer shall hear.
package final class FlowControl {
    /// What a producer shall be told.
    package enum Call {
        case pause, resume
    }

    package var marks: WaterMarks
    package private(set) var producer: (any Producer)?
    package private(set) var isStreaming = false
    /// Whether the producer was told to pause.
    package private(set) var isPaused = false
    /// Whether a pull producer is being called, so that what it writes does not call it again.
    package var isPulling = false
    /// Whether a pull producer has written since it was called last. One that writes nothing is not called again until it does.
    package var hasWritten = false

    package init(marks: WaterMarks) {
        self.marks = marks
    }

    /// Whether the producer is one that must be asked for each piece.
    package var pulls: Bool { producer != nil && !isStreaming }

    package func register(_ producer: any Producer, streaming: Bool) {
        self.producer = producer
        isStreaming = streaming
        isPaused = false
        hasWritten = true
    }

    /// Lets the producer go; the one that was let go.
    @discardableResult
    package func unregister() -> (any Producer)? {
        defer {
            producer = nil
            isPaused = false
        }
        return producer
    }

    /// Takes note of how many bytes wait; what a push producer shall hear, each call once.
    package func noteUnsent(_ count: Int) -> Call? {
        guard isStreaming, producer != nil else { return nil }
        if !isPaused, count > marks.high {
            isPaused = true
            return .pause
        }
        if isPaused, count <= marks.low {
            isPaused = false
            return .resume
        }
        return nil
    }
}
