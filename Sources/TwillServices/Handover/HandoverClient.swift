import Logging
import Twill

/// The taking side of a hand-over: asks the process before this one for its listening sockets, and tells it when it may go.
enum HandoverClient {
    /// How long the process before this one may take to answer.
    private static let patience = Duration.seconds(10)

    /// Asks for the listening sockets, on a reactor of its own that runs for no longer; called before there is another one.
    ///
    /// - Parameter user: whom this process will be when it serves.
    /// - Returns: the sockets and their places; nil where nobody is there to ask.
    /// - Throws: ``RunnerFailure`` where somebody is there who does not answer as agreed, or is another user.
    static func takeSockets(at path: String, as user: UInt32) throws -> [(place: String, descriptor: CInt)]? {
        let reactor = try LibeventReactor(logger: Logger(label: "handover"))
        let taker = Taker(asking: "sockets", until: "end", of: .whoeverIs(user))
        let outcome = taker.ask(at: path, within: patience, on: reactor)
        outcome.addBoth { _ in reactor.stop() }
        var answer: Result<Bool, any Error>?
        outcome.addBoth { (result: Result<Bool, any Error>) -> Void in answer = result }
        try reactor.run(installSignalHandlers: false)
        do {
            guard try answer?.get() == true else { return nil }
            return try taker.sockets()
        } catch {
            taker.closeAll()
            throw RunnerFailure(.unavailable, "The process at \(path) did not hand over its sockets: \(error)")
        }
    }

    /// Says that this process serves; fires when the one before it has let go, or is gone.
    static func announce(at path: String, on reactor: any Reactor) -> Deferred<Void> {
        let taker = Taker(asking: "ready", until: "bye", of: .whoeverIs(System.userID))
        return taker.ask(at: path, within: patience, on: reactor).addBoth { _ in withExtendedLifetime(taker) {} }
    }
}

/// Says a line, and keeps what comes until another one does.
private final class Taker: LineReceiver, DescriptorReceiver {
    private let question: String
    private let last: String
    private let trust: HandoverTrust
    private var lines: [String] = []
    private var descriptors: [CInt] = []
    private let outcome = Deferred<Bool>(canceller: { _ in })

    init(asking question: String, until last: String, of trust: HandoverTrust) {
        (self.question, self.last, self.trust) = (question, last, trust)
        super.init(delimiter: .lf, lengthMax: 4096)
    }

    /// Fires with false where nobody is there.
    func ask(at path: String, within limit: Duration, on reactor: any Reactor) -> Deferred<Bool> {
        let endpoint = UNIXClientEndpoint(UNIXTarget(path: path, timeout: limit))
        endpoint.connectProtocol(self, on: reactor).addErrback { error in
            // Nobody listens there, or there is no such file.
            if error as? ConnectError == .refused { self.finish(.success(false)) } else { self.finish(.failure(error)) }
            return self
        }
        return outcome.addTimeout(limit, on: reactor)
    }

    private func finish(_ result: Result<Bool, any Error>) {
        if !outcome.hasFired { try? outcome.fire(result) }
    }

    override func connectionMade() throws {
        try trust.check(transport)
        sendLine(question)
    }

    func descriptorReceived(_ descriptor: CInt) { descriptors.append(descriptor) }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        guard text == last else { return lines.append(text) }
        transport.loseConnection()
        finish(.success(true))
    }

    override func connectionLost(_ reason: ConnectionLost) { finish(.failure(reason)) }

    func sockets() throws -> [(place: String, descriptor: CInt)] {
        let places = lines.compactMap { $0.hasPrefix("socket ") ? String($0.dropFirst(7)) : nil }
        guard places.count == lines.count, places.count == descriptors.count else {
            throw RunnerFailure(.unavailable, "it sent \(descriptors.count) sockets and \(lines.count) lines")
        }
        return Array(zip(places, descriptors)).map { (place: $0, descriptor: $1) }
    }

    func closeAll() {
        for descriptor in descriptors { System.close(descriptor) }
    }
}
