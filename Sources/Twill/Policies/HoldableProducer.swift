/// A producer as the transport below a ``TransportWrapper`` sees it: it is paused while the transport or a policy wants it.
///
/// It calls the producer by the producer's own contract: pausing and resuming alternate, and nothing comes after the stop. Invariant of
/// one that pushes: it was told to pause exactly when `isFull || isHeld`, from the first `setHeld` on.
final class HoldableProducer: Producer {
    private let producer: any Producer
    private let pulls: Bool
    /// Whether the policy holds it back.
    private var isHeld: Bool
    /// Whether one that pushes was told to pause.
    private var isPaused = false
    /// Whether too many bytes wait in the transport below.
    private var isFull = false
    /// Whether one that is pulled was asked for a piece while it was held.
    private var owesPiece = false
    private var isOver = false

    /// A push producer that is held from the start hears of it by the first ``setHeld(_:)``.
    init(_ producer: any Producer, streaming: Bool, isHeld: Bool) {
        self.producer = producer
        pulls = !streaming
        self.isHeld = isHeld
    }

    func pauseProducing() throws {
        isFull = true
        try settle()
    }

    func resumeProducing() throws {
        isFull = false
        owesPiece = pulls
        try settle()
    }

    func stopProducing() throws {
        isOver = true
        try producer.stopProducing()
    }

    var hasMore: Bool { producer.hasMore }

    /// Holds it back, or lets it go on.
    func setHeld(_ isHeld: Bool) throws {
        self.isHeld = isHeld
        try settle()
    }

    private func settle() throws {
        guard !isOver else { return }
        if pulls {
            guard owesPiece, !isHeld else { return }
            owesPiece = false
            try producer.resumeProducing()
        } else {
            let pauses = isFull || isHeld
            guard pauses != isPaused else { return }
            isPaused = pauses
            if pauses { try producer.pauseProducing() } else { try producer.resumeProducing() }
        }
    }
}
