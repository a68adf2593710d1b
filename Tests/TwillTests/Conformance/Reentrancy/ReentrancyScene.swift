import Testing

@testable import Twill
@testable import TwillTesting

/// A subject that does something inside a callback, its peer, and a canary: a conversation on the same reactor that nothing of it may touch.
///
/// The canary says something; the subject and its peer are connected; the subject acts; a few turns later what is left of them is closed; the
/// canary says something again; the reactor stops.
final class ReentrancyScene {
    let field: ReentrancyCase
    let reactor: any Reactor
    private(set) var hasActed = false
    private(set) var lives: [Life] = []
    private(set) var subjectsLife: Life?
    /// The transport of a subject that is gone, perhaps.
    private(set) var lastTransport = Transport()
    let canary = Recorder()
    private let canarysServer = Recorder()
    private var canarysPort: (any ListeningPort)?
    // What a user would hold: dropping one of them drops the last reference that is not Twill's own.
    private var subject: Subject?
    private var subjectsFactory: Factory?
    private weak var weakSubject: Subject?
    private weak var weakFactory: Factory?
    private var peer: Peer?
    private var port: (any ListeningPort)?
    private var connector: Connector?
    private var isActing = false
    private(set) var breaches: [String] = []

    init(_ field: ReentrancyCase, _ reactor: any Reactor) throws {
        self.field = field
        self.reactor = reactor
        canarysServer.whenData = { $0.transport.write($0.text) }
        // The canary's port has visitors, too.
        var isTaken = false
        let factory = Factory { [unowned self] () -> Twill::Protocol in
            if isTaken { return Visitor(self) }
            isTaken = true
            return canarysServer
        }
        let port = try field.kind.listen(reactor, factory: factory)
        canarysPort = port
        canary.whenMade = { $0.transport.write("a") }
        canary.whenData = { [unowned self] canary in
            switch canary.text {
            case "a": reactor.callLater(.zero, start)
            case "aab": reactor.afterTurns(3) { reactor.stop() }
            default: break
            }
        }
        let client = ClientFactory { [unowned self] in canary }
        _ = try field.kind.connect(reactor, to: port, factory: client)
    }

    // The run.

    private func start() throws {
        do {
            try join()
        } catch is Conformance.Refusal where field.callback == .startFactory && field.action == .throwError {
            return finish()
        }
        reactor.when { [unowned self] in
            field.callback.comesAtTheEnd ? lives.count { $0.wasMade } >= 2 : hasActed
        } then: { [unowned self] in
            // A few turns for what follows from the action.
            reactor.afterTurns(5) { self.close() }
        }
    }

    private func join() throws {
        var options = TransportOptions()
        if field.callback == .producerResumed {
            // So that a little is too much.
            options.sendBufferBytes = 32 << 10
            options.receiveBufferBytes = 32 << 10
        }
        switch field.side {
        case .server:
            let factory = SubjectFactory(self)
            hold(factory)
            let port = try field.kind.listen(reactor, factory: factory, options: options)
            self.port = port
            connector = try field.kind.connect(reactor, to: port, factory: ClientFactory { [unowned self] in makePeer() }, options: options)
        case .client:
            let factory = SubjectClientFactory(self)
            hold(factory)
            let port = try field.kind.listen(reactor, factory: Factory { [unowned self] in makePeer() }, options: options)
            self.port = port
            connector = try field.kind.connect(reactor, to: port, factory: factory, options: options)
        }
    }

    private func hold(_ factory: Factory) {
        subjectsFactory = factory
        weakFactory = factory
    }

    /// Closes what is open: first as the peer would, then from the subject's side.
    private func close() {
        peer?.transport.loseConnection()
        reactor.afterTurns(5) { [unowned self] in
            weakSubject?.transport.loseConnection()
            finish()
        }
    }

    private func finish() {
        port?.stopListening()
        reactor.when { [unowned self] in
            lives.allSatisfy { $0.wasLost || !$0.wasMade } && (weakFactory?.userCount ?? 0) == 0 && connector?.state != .connected
        } then: { [unowned self] in
            reactor.afterTurns(3) { self.canary.transport.write("b") }
        }
    }

    // What the actors call.

    func newLife() -> Life {
        let life = Life()
        lives.append(life)
        return life
    }

    func noteLoss(of life: Life) {
        if isActing { breaches.append("connectionLost inside a call of the subject's") }
    }

    private func makePeer() -> Peer {
        let made = Peer(self)
        peer = made
        return made
    }

    func buildSubject() throws -> Subject {
        let made = Subject(self)
        subject = made
        weakSubject = made
        subjectsLife = made.life
        try reached(.buildProtocol, made.transport)
        return made
    }

    /// The subject is in a callback; acts in the one that is in question, once.
    func reached(_ callback: ReentrancyCase.Callback, _ transport: Transport) throws {
        if callback == .connectionMade { lastTransport = transport }
        guard callback == field.callback, !hasActed else { return }
        hasActed = true
        isActing = true
        defer { isActing = false }
        try act(transport)
    }

    private func act(_ transport: Transport) throws {
        switch field.action {
        case .write: transport.write("written")
        case .loseConnection: transport.loseConnection()
        case .abortConnection: transport.abortConnection()
        case .pauseProducing: transport.pauseProducing()
        case .resumeProducing: transport.resumeProducing()
        case .writeTenMegabytes: transport.write([UInt8](repeating: 1, count: 10_000_000))
        case .stopListening: port?.stopListening()
        case .stopReactor: reactor.stop()
        case .loseWriteConnection: transport.loseWriteConnection()
        case .registerProducer: try registerProducer(transport)
        case .throwError: throw Conformance.Refusal()
        case .connectElsewhere:
            guard let canarysPort else { return }
            _ = try field.kind.connect(reactor, to: canarysPort, factory: ClientFactory { [unowned self] in Visitor(self) })
        case .dropLastReference:
            if field.callback.isFactorys { subjectsFactory = nil } else { subject = nil }
        }
    }

    private func registerProducer(_ transport: Transport) throws {
        let producer = CallRecordingProducer(transport) { producer in
            producer.transport.write("piece")
            if producer.resumeCount == 3 { producer.transport.unregisterProducer() }
        }
        do {
            try transport.registerProducer(producer, streaming: false)
        } catch ProducerError.alreadyRegistered where field.callback == .producerResumed {
            // The one that is being resumed.
        }
    }

    // The outcome.

    /// Lets everything go; what is left of the subject then.
    func letGo() -> (subject: Subject?, factory: Factory?) {
        lastTransport = Transport()
        subject = nil
        subjectsFactory = nil
        port = nil
        connector = nil
        peer = nil
        return (weakSubject, weakFactory)
    }
}
