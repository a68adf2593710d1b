import Twill

/// One direction of a relayed connection: it passes on what arrives, up to the next thing that goes wrong.
///
/// Chance is asked once for each segment, and a segment is so many bytes of the stream, however they arrive. Invariant: it holds bytes only while it
/// waits or its receiver is slow, and then its sender is not read.
final class FaultyStream: Producer {
    /// What happens between two bytes.
    private enum Incident {
        case stall(Duration)
        case split
        /// The end of a piece, where all comes byte by byte.
        case gap
        case ending(Fault, FaultPlan.Ending)
    }

    let direction: FaultyProxy.Direction
    weak var connection: FaultyConnection?
    private let relay: FaultyRelay
    private var draws: FaultDraws
    private let isByteByByte: Bool
    private var hasToldByteByByte = false
    /// The sender and the receiver, from the moment on which both are connected.
    private var source: Transport?
    private var output: Transport?

    private var held = ByteQueue()
    /// How many bytes were passed on.
    private(set) var passedCount = 0
    /// Where the segment ends that chance was asked about last.
    private var segmentEnd = 0
    /// Where something happens in that segment, and what.
    private var next: (offset: Int, incident: Incident)?
    /// How many bytes a piece has where all comes byte by byte.
    private var pieceBytes = 1
    /// Runs while something is held up.
    private var wait: DelayedCall?
    private var receiverIsSlow = false
    private var inputHasEnded = false
    private var isStopped = false

    init(_ direction: FaultyProxy.Direction, ofConnection number: Int, _ relay: FaultyRelay) {
        self.direction = direction
        self.relay = relay
        draws = relay.draws(direction, ofConnection: number)
        isByteByByte = draws.happens(.byteByByte, perMillion: relay.plan(direction).byteByByte)
    }

    /// What becomes of the attempt to connect; asked of one direction alone, before its first segment.
    func drawAttempt() -> (outcome: FaultDraws.Attempt, delay: Duration) {
        draws.attempt(relay.plan(direction))
    }

    func join(from source: Transport, to output: Transport) throws {
        self.source = source
        self.output = output
        try output.registerProducer(self, streaming: true)
    }

    func received(_ data: Span<UInt8>) {
        guard !isStopped else { return }
        held.append(data)
        pieceBytes = FaultDraws.pieceBytes(of: data.count, isByteByByte: true, atMost: 1)
        advance()
    }

    /// The sender has said its last word: the receiver hears of it behind the last byte.
    func inputEnded() {
        inputHasEnded = true
        advance()
    }

    /// The sender has gone in good order, which it does when both halves are closed: the receiver has said its last word, and now hears the sender's.
    func sourceIsGone() {
        source = nil
        inputEnded()
    }

    /// Passes nothing on any more.
    func stop() {
        wait?.cancelIfActive()
        held.removeAll()
        letGo()
        (source, output) = (nil, nil)
    }

    func pauseProducing() {
        receiverIsSlow = true
        source?.pauseProducing()
    }

    func resumeProducing() {
        receiverIsSlow = false
        advance()
    }

    func stopProducing() {}

    private var isWaiting: Bool { wait?.isActive == true }

    private func advance() {
        while !isStopped, !isWaiting, !receiverIsSlow, !held.isEmpty {
            let (end, incident) = run()
            if end > passedCount, let output {
                let piece = held.take(end - passedCount)
                passedCount = end
                relay.passed(piece.count, direction)
                output.write(piece)
            }
            if let incident { meet(incident) }
        }
        guard !isStopped, !isWaiting else { return hold() }
        if inputHasEnded, held.isEmpty {
            letGo()
            output?.loseWriteConnection()
        } else {
            hold()
        }
    }

    /// How far it goes until something happens, or what has arrived is at its end; and what happens there.
    private func run() -> (end: Int, incident: Incident?) {
        let plan = relay.plan(direction)
        let available = passedCount + held.count
        var limit = available
        var atLimit: Incident?
        if isByteByByte, plan.byteByByte > 0 {
            tellByteByByte()
            limit = min(available, passedCount + pieceBytes)
            atLimit = .gap
        }
        var end = passedCount
        while end < limit {
            if end == segmentEnd, let incident = beginSegment(at: end, plan) { return (end, incident) }
            if let (offset, incident) = next, offset <= limit {
                next = nil
                // A split where a read has ended anyway is one all the same: what comes then, comes later.
                return (offset, incident)
            }
            end = min(segmentEnd, limit)
        }
        return (end, atLimit)
    }

    /// Asks what becomes of the segment that begins here; what happens before its first byte.
    private func beginSegment(at offset: Int, _ plan: FaultPlan) -> Incident? {
        let drawn = draws.segment(of: relay.segmentBytes, at: offset, plan)
        segmentEnd = offset + relay.segmentBytes
        if let ending = drawn.ending {
            let isCut = plan.cut.map { offset + relay.segmentBytes >= $0.offset } ?? false
            next = (offset + drawn.head, .ending(isCut ? .cut : Self.fault(ending), ending))
        } else if drawn.head < relay.segmentBytes {
            next = (offset + drawn.head, .split)
        }
        // A relay that reads nothing closes the window of who sends: both are one.
        return (drawn.stall ?? drawn.zeroWindow).map { .stall($0) }
    }

    private static func fault(_ ending: FaultPlan.Ending) -> Fault {
        switch ending {
        case .end: .ends
        case .reset: .resets
        case .vanish: .vanishes
        }
    }

    private func meet(_ incident: Incident) {
        switch incident {
        case .stall(let duration):
            connection?.meets(.stalls, self, for: duration)
            pause(for: duration)
        case .split:
            connection?.meets(.splits, self)
            pause(for: relay.pauseBetweenPieces)
        case .gap: pause(for: relay.pauseBetweenPieces)
        case .ending(let fault, let ending): connection?.meets(fault, self, by: ending)
        }
    }

    private func tellByteByByte() {
        guard !hasToldByteByByte else { return }
        hasToldByteByByte = true
        connection?.meets(.byteByByte, self)
    }

    private func pause(for duration: Duration) {
        guard !isStopped else { return }
        wait = output?.reactor.callLater(duration) { [weak self] in self?.advance() }
    }

    /// Reads on where there is nothing left to pass on.
    private func hold() {
        guard !isStopped, !inputHasEnded else { return }
        if held.isEmpty, !receiverIsSlow { source?.resumeProducing() } else { source?.pauseProducing() }
    }

    /// Lets the receiver close without waiting for this stream.
    private func letGo() {
        guard !isStopped else { return }
        isStopped = true
        output?.unregisterProducer()
    }
}
