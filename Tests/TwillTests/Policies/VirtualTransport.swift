import Testing

@testable import Twill
@testable import TwillTesting

/// A connection on a virtual reactor, whose peer says and takes what the test wants.
///
/// It closes as a real one does: the protocol hears on a later turn, and after everything written was taken, unless it was aborted.
final class VirtualTransport: Transport {
    let loop: VirtualReactor
    private var handler: Protocol?
    private(set) var written = ""
    private(set) var isPaused = false
    private(set) var pauses = 0
    private(set) var wasAborted = false
    private(set) var reason: ConnectionLost?
    private(set) var producer: (any Producer)?
    private(set) var waiting = 0
    private var isFinished = false
    /// How many bytes the peer still takes at once.
    var room = Int.max
    private var peerAddress = Address.unknown

    init(_ loop: VirtualReactor) {
        self.loop = loop
        super.init()
        loop.add(self)
    }

    /// Connects it to a protocol that the factory makes; nil where it refuses.
    convenience init?(_ loop: VirtualReactor, to factory: Factory, from peer: Address = .unknown) throws {
        guard let handler = try factory.protocolForConnection(from: peer) else { return nil }
        self.init(loop)
        peerAddress = peer
        connect(handler)
    }

    func connect(_ handler: Protocol) {
        setState(.connected)
        self.handler = handler
        run("connectionMade") { try handler.makeConnection(self) }
    }

    /// The peer says something; it is lost where nobody reads.
    func say(_ text: String) {
        guard state == .connected, !isPaused, let handler else { return }
        run("dataReceived") { try handler.feed(text) }
    }

    /// The peer takes so many bytes of those that wait.
    func take(_ count: Int) {
        waiting = max(0, waiting - count)
        settle()
    }

    /// The peer is gone.
    func lose(_ reason: ConnectionLost = .lost) {
        end(reason)
    }

    override func replaceProtocol(_ previous: Protocol, by next: Protocol) {
        guard let handler else { return }
        if handler === previous { self.handler = next } else { handler.replace(previous, by: next) }
    }

    private func run(_ name: String, _ callback: () throws -> Void) {
        do {
            try callback()
        } catch {
            callbackThrew(error, in: name)
        }
    }

    private func settle() {
        guard state == .disconnecting, waiting == 0, producer == nil else { return }
        end(reason ?? .done)
    }

    private func end(_ reason: ConnectionLost) {
        guard state != .disconnected else { return }
        setState(.disconnected)
        self.reason = reason
        cancelOwnCalls()
        try? producer?.stopProducing()
        producer = nil
        let ended = handler
        handler = nil
        try? ended?.connectionLost(reason)
    }

    override var reactor: any Reactor { loop }

    override var peer: Address { peerAddress }

    override func write(_ data: Span<UInt8>) {
        guard state == .connected && !isFinished || state != .disconnected && producer != nil else { return }
        written += text(data)
        let taken = waiting > 0 ? 0 : min(room, data.count)
        room -= taken
        waiting += data.count - taken
    }

    override func loseConnection() { loseConnection(because: .done) }

    override func loseConnection(because reason: ConnectionLost) {
        guard state == .connected else { return }
        self.reason = reason
        setState(.disconnecting)
        loop.callLater(.zero) { self.settle() }
    }

    override func loseWriteConnection() { isFinished = true }

    override func abortConnection() { abortConnection(because: .aborted) }

    override func abortConnection(because reason: ConnectionLost) {
        guard state != .disconnected else { return }
        wasAborted = true
        setState(.disconnecting)
        loop.callLater(.zero) { self.end(reason) }
    }

    override func pauseProducing() {
        isPaused = true
        pauses += 1
    }

    override func resumeProducing() { isPaused = false }

    override func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        guard self.producer == nil else { throw ProducerError.alreadyRegistered }
        guard state == .connected else { return try producer.stopProducing() }
        self.producer = producer
        if !streaming { try producer.resumeProducing() }
    }

    override func unregisterProducer() {
        producer = nil
        loop.callLater(.zero) { self.settle() }
    }

    override var bufferedByteCount: Int { waiting }
}

extension VirtualReactor {
    /// A connection to a protocol that the factory makes; an issue where it refuses.
    func connection(to factory: Factory, from peer: Address = .unknown) throws -> VirtualTransport {
        let made = try VirtualTransport(self, to: factory, from: peer)
        return try #require(made)
    }
}

extension ConnectionLost {
    /// The deadline that was passed.
    var deadline: DeadlineError? { underlying as? DeadlineError }
}

extension RawSocket {
    /// Receives a text of the same length, and says so where it is another one.
    func expect(_ expected: String) throws {
        let received = try receiveText(expected.utf8.count)
        try #require(received == expected)
    }

    /// Expects that the peer has said all it had to say, and has closed in good order.
    func expectEnd() throws {
        let rest = try receiveToEnd()
        try #require(rest.isEmpty)
    }
}
