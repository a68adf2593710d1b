import Twill

/// An event of a protocol's life.
enum ProtocolEvent: Equatable {
    case made
    case data(String)
    case readLost
    case writeLost
    case lost(ConnectionLost)
}

/// A protocol that notes what it is told, and does what the case hung on each event.
class Recorder: Protocol {
    fileprivate(set) final var events: [ProtocolEvent] = []
    private(set) final var received: [UInt8] = []
    /// How many times input came, and in what sizes.
    private(set) final var pieces: [Int] = []

    final var whenMade: ((Recorder) throws -> Void)?
    final var whenData: ((Recorder) throws -> Void)?
    final var whenLost: ((Recorder, ConnectionLost) throws -> Void)?

    /// What `connectionLost` was told, the last time it was called.
    final var reason: ConnectionLost? {
        for case .lost(let reason) in events.reversed() { return reason }
        return nil
    }

    /// How many times `connectionLost` was called.
    final var lossCount: Int {
        events.count { if case .lost = $0 { true } else { false } }
    }

    /// What arrived, as text.
    final var text: String { String(decoding: received, as: UTF8.self) }

    /// What it was told, as every reactor tells it: input in one piece, which is left out where the connection broke.
    final var story: [String] {
        var story: [String] = []
        let isBroken = reason == .lost || reason == .reactorStopped || reason == .aborted
        for event in events {
            switch event {
            case .made: story.append("is made")
            case .data: break
            case .readLost: story.append("hears the peer's last word")
            case .writeLost: story.append("has said its own last word")
            case .lost(let reason): story.append("\(reason.summary)")
            }
        }
        // How much of a long stream arrives may be the network's business; a case that promises all of it looks itself.
        if !isBroken, !received.isEmpty { story.insert(received.count <= 64 ? "received \(text)" : "received a long stream", at: 1) }
        return story
    }

    override func connectionMade() throws {
        events.append(.made)
        try whenMade?(self)
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        let bytes = [UInt8](copying: data)
        received += bytes
        pieces.append(bytes.count)
        // Long input is checked by its bytes; the events are for conversations.
        if bytes.count <= 64 { events.append(.data(String(decoding: bytes, as: UTF8.self))) }
        try whenData?(self)
    }

    /// Takes out what arrived so far.
    final func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    /// Lets go of what the case hung on the events, for a recorder that will hear of no loss.
    final func letGo() {
        (whenMade, whenData, whenLost) = (nil, nil, nil)
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        events.append(.lost(reason))
        // What a case hung here may hold the recorder.
        defer { letGo() }
        try whenLost?(self, reason)
    }
}

/// A recorder that goes on when one half of its connection has closed.
final class HalfCloseableRecorder: Recorder, HalfCloseableProtocol {
    var whenReadLost: ((HalfCloseableRecorder) throws -> Void)?
    var whenWriteLost: ((HalfCloseableRecorder) throws -> Void)?

    func readConnectionLost() throws {
        events.append(.readLost)
        try whenReadLost?(self)
    }

    func writeConnectionLost() throws {
        events.append(.writeLost)
        try whenWriteLost?(self)
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        defer { (whenReadLost, whenWriteLost) = (nil, nil) }
        try super.connectionLost(reason)
    }
}

extension ConnectionLost {
    /// The kind of the end alone: error numbers and addresses are not the same everywhere.
    fileprivate var summary: String {
        switch kind {
        case .done: "is closed in good order"
        case .lost: "is broken"
        case .aborted: "is aborted by itself"
        case .timedOut: "gives its peer up"
        case .unsentLimit: "has more to send than it may"
        case .badInput: "rejects its input"
        case .failed: "fails by its own error"
        case .reactorStopped: "ends with its reactor"
        }
    }
}
