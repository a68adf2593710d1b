import Twill

/// An event of a factory's life.
enum FactoryEvent: Equatable {
    case start
    case startedConnecting
    case failed(ConnectError)
    case lost(ConnectionLost)
    case stop
}

extension FactoryEvent: CustomStringConvertible {
    var description: String {
        switch self {
        case .start: "starts"
        case .startedConnecting: "connects"
        case .failed: "hears that connecting has failed"
        case .lost(let reason): reason.isClean ? "hears of a loss in good order" : "hears of a loss"
        case .stop: "stops"
        }
    }
}

/// A client factory that notes what it is told, and does what the case hung on each event.
final class RecordingClientFactory: ClientFactory {
    private(set) var events: [FactoryEvent] = []
    var whenStarted: ((Connector) throws -> Void)?
    var whenFailed: ((Connector, ConnectError) throws -> Void)?
    var whenLost: ((Connector, ConnectionLost) throws -> Void)?
    var whenStopped: (() -> Void)?

    /// The last failure that it was told of.
    var failure: ConnectError? {
        for case .failed(let failure) in events.reversed() { return failure }
        return nil
    }

    override func startFactory() { events.append(.start) }

    override func startedConnecting(_ connector: Connector) throws {
        events.append(.startedConnecting)
        try whenStarted?(connector)
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
        events.append(.failed(reason))
        try whenFailed?(connector, reason)
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
        events.append(.lost(reason))
        try whenLost?(connector, reason)
    }

    override func stopFactory() {
        events.append(.stop)
        whenStopped?()
    }
}

/// A server factory that counts its starts and stops.
final class CountingFactory: Factory {
    private(set) var starts = 0
    private(set) var stops = 0
    var whenStopped: () -> Void = {}

    override func startFactory() { starts += 1 }

    override func stopFactory() {
        stops += 1
        whenStopped()
    }
}

/// A factory that serves one connection with a protocol of the case's, and lets go of it: the protocol will hold its factory.
final class OneConnectionFactory: Factory {
    private var only: Protocol?

    init(_ only: Protocol) {
        self.only = only
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        defer { only = nil }
        return only
    }
}
