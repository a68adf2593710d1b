@testable import Twill

/// An event of a datagram protocol's life.
enum DatagramEvent: Equatable {
    case started
    case data(String)
    case truncated(Int)
    case refused
    case filled
    case drained
    case failed(DatagramError)
    case stopped
}

/// A datagram protocol that notes what it is told, and does what the test hung on its events.
final class DatagramRecorder: DatagramProtocol {
    private(set) var events: [DatagramEvent] = []
    private(set) var senders: [Address] = []
    /// Long datagrams, which the events leave out.
    private(set) var received: [[UInt8]] = []

    var whenTold: ((DatagramRecorder, DatagramEvent) throws -> Void)?
    /// Called with whole datagrams, before `whenTold`.
    var whenReceived: ((DatagramRecorder, [UInt8], Address) throws -> Void)?

    /// How many times it was told that.
    func count(_ event: DatagramEvent) -> Int { events.count { $0 == event } }

    /// What arrived, as texts.
    var texts: [String] { received.map { String(decoding: $0, as: UTF8.self) } }

    private func note(_ event: DatagramEvent) throws {
        events.append(event)
        try whenTold?(self, event)
    }

    override func startProtocol() throws { try note(.started) }

    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        let bytes = Array(copying: data)
        received.append(bytes)
        senders.append(sender)
        try whenReceived?(self, bytes, sender)
        try note(.data(bytes.count <= 64 ? String(decoding: bytes, as: UTF8.self) : "\(bytes.count) bytes"))
    }

    override func datagramTruncated(_ beginning: Span<UInt8>, from sender: Address) throws {
        senders.append(sender)
        try note(.truncated(beginning.count))
    }

    override func connectionRefused() throws { try note(.refused) }

    override func sendBufferFilled() throws { try note(.filled) }

    override func sendBufferDrained() throws { try note(.drained) }

    override func sendingFailed(_ error: DatagramError) throws { try note(.failed(error)) }

    override func stopProtocol() throws {
        // What a test hung here may hold the recorder.
        defer { (whenTold, whenReceived) = (nil, nil) }
        try note(.stopped)
    }
}

/// Sends every datagram back.
final class DatagramEcho: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        try transport.write(data, to: sender)
    }
}
