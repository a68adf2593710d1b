@testable import Twill
@testable import TwillTesting

/// What one protocol was told, kept when the protocol is gone.
final class Life {
    private(set) var events: [String] = []
    private(set) var breaches: [String] = []
    private(set) var reason: ConnectionLost?
    private var isInside = false

    var wasMade: Bool { events.contains("made") }
    var wasLost: Bool { events.contains("lost") }

    /// Notes a callback while it runs; one that comes after the last, or inside another, is a breach.
    func during(_ event: String, _ body: () throws -> Void) rethrows {
        if wasLost { breaches.append("\(event) after the loss") }
        if isInside { breaches.append("\(event) inside another callback") }
        if (event == "made") != events.isEmpty { breaches.append("\(event) is number \(events.count)") }
        events.append(event)
        isInside = true
        defer { isInside = false }
        try body()
    }

    func noteReason(_ reason: ConnectionLost) {
        self.reason = reason
    }
}

/// A protocol that keeps its life, and asks the scene what to do in each callback.
class Player: Protocol {
    let life: Life
    unowned let scene: ReentrancyScene

    init(_ scene: ReentrancyScene) {
        self.scene = scene
        life = scene.newLife()
    }

    override func connectionMade() throws { try life.during("made") { try act(in: .connectionMade) } }

    override func dataReceived(_ data: Span<UInt8>) throws { try life.during("data") { try act(in: .dataReceived) } }

    override func connectionLost(_ reason: ConnectionLost) throws {
        life.noteReason(reason)
        scene.noteLoss(of: life)
        try life.during("lost") { try act(in: .connectionLost) }
    }

    func act(in callback: ReentrancyCase.Callback) throws {}
}

/// The protocol in whose callbacks things are done.
final class Subject: Player, HalfCloseableProtocol {
    /// Otherwise it closes with its first half, as most protocols do.
    override var halfCloseable: (any HalfCloseableProtocol)? { scene.field.callback == .readConnectionLost ? self : nil }

    func readConnectionLost() throws { try life.during("readLost") { try act(in: .readConnectionLost) } }

    func writeConnectionLost() { life.during("writeLost") {} }

    override func act(in callback: ReentrancyCase.Callback) throws {
        if callback == .connectionMade { try prepare() }
        try scene.reached(callback, transport)
    }

    /// Makes those callbacks come that do not come by themselves.
    private func prepare() throws {
        switch scene.field.callback {
        case .timer:
            transport.callLater(.zero) { [unowned self] in try scene.reached(.timer, transport) }
        case .producerResumed:
            try transport.registerProducer(Resumed(scene, transport), streaming: true)
            transport.write(Conformance.bytes(1 << 20))
        default: break
        }
    }

    /// A push producer whose first resumption is the callback in question.
    private final class Resumed: Producer {
        unowned let scene: ReentrancyScene
        let transport: Transport

        init(_ scene: ReentrancyScene, _ transport: Transport) {
            self.scene = scene
            self.transport = transport
        }

        func resumeProducing() throws {
            try scene.reached(.producerResumed, transport)
            transport.unregisterProducer()
        }

        func stopProducing() {}
    }
}

/// The other end.
final class Peer: Player {
    override func act(in callback: ReentrancyCase.Callback) {
        guard callback == .connectionMade else { return }
        switch scene.field.callback {
        case .dataReceived: transport.write("ping")
        case .readConnectionLost: transport.loseWriteConnection()
        default: break
        }
    }
}

/// Who connects elsewhere, and closes at once.
final class Visitor: Player {
    override func act(in callback: ReentrancyCase.Callback) {
        if callback == .connectionMade { transport.loseConnection() }
    }
}

/// The subject's factory, on the server's side.
final class SubjectFactory: Factory {
    unowned let scene: ReentrancyScene

    init(_ scene: ReentrancyScene) {
        self.scene = scene
        super.init()
    }

    override func startFactory() throws { try scene.reached(.startFactory, Transport()) }

    override func buildProtocol(_ address: Address) throws -> Protocol? { try scene.buildSubject() }

    override func stopFactory() throws { try scene.reached(.stopFactory, scene.lastTransport) }
}

/// The subject's factory, on the client's side.
final class SubjectClientFactory: ClientFactory {
    unowned let scene: ReentrancyScene

    init(_ scene: ReentrancyScene) {
        self.scene = scene
        super.init()
    }

    override func startFactory() throws { try scene.reached(.startFactory, Transport()) }

    override func buildProtocol(_ address: Address) throws -> Protocol? { try scene.buildSubject() }

    override func stopFactory() throws { try scene.reached(.stopFactory, scene.lastTransport) }
}
