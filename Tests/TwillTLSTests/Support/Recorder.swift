@testable import Twill

/// An event of a protocol's life.
enum ProtocolEvent: Equatable {
    case made
    case data(String)
    case readLost
    case writeLost
    case lost(ConnectionLost)
}

/// A protocol that notes what it is told, and does what the test hung on each event.
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

    override func connectionMade() throws {
        events.append(.made)
        try whenMade?(self)
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        let bytes = Array(data)
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

    /// Lets go of what the test hung on the events, for a recorder that will hear of no loss.
    final func letGo() {
        (whenMade, whenData, whenLost) = (nil, nil, nil)
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        events.append(.lost(reason))
        // What a test hung here may hold the recorder.
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

extension Array<UInt8> {
    /// Copies lent bytes.
    init(_ span: Span<UInt8>) {
        self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
