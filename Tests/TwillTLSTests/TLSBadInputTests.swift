import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// T4, T6 and T7: what peers send that speak no TLS, or badly, or too much of it.
@Suite(.nothingLivesOn) struct TLSBadInputTests {
    /// What comes of bytes that a plain client sends to a TLS port.
    struct Outcome {
        var error: TLSError?
        var reply: [UInt8] = []
        var log: [String] = []
        var elapsed: Duration = .zero
    }

    /// Sends bytes to a TLS port in pieces, one each millisecond, and waits until the server has given up.
    private func send(
        _ bytes: [UInt8], pieces: Int = .max, thenCloses: Bool = false, _ change: (inout TLSServerOptions) -> Void = { _ in }
    ) throws -> Outcome {
        let log = RecordedLog()
        let context = try TLSServerContext.test(nil, change)
        var outcome = Outcome()
        let never = Recorder()
        try withReactor(log: log) { reactor in
            let factory = TLSServerFactory(wrapping: Factory { [unowned never] _ in never }, context: context)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let start = reactor.now
            factory.whenHandshakeFailed = { [unowned reactor] _, error in
                outcome.error = error
                outcome.elapsed = start.duration(to: reactor.now)
            }
            let client = Recorder()
            client.whenMade = { client in
                var rest = bytes[...]
                func sendNext() {
                    guard !rest.isEmpty else {
                        if thenCloses { client.transport.loseConnection() }
                        return
                    }
                    client.transport.write(Array(rest.prefix(pieces)))
                    rest = rest.dropFirst(pieces)
                    client.transport.callLater(.milliseconds(1)) { sendNext() }
                }
                sendNext()
            }
            client.whenLost = { [unowned reactor] client, _ in
                outcome.reply = client.received
                reactor.when {
                    outcome.error != nil
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneClient(client))
        }
        #expect(never.events == [])
        outcome.log = log.entries
        return outcome
    }

    /// Everything that the server says is TLS: alerts, of 7 bytes each.
    private func expectAlertsOnly(_ reply: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(reply.isEmpty || reply.count == 7 && reply[0] == 0x15 && reply[1] == 3, "\(reply)", sourceLocation: sourceLocation)
    }

    @Test("T4: plain HTTP on a TLS port")
    func plainHTTP() throws {
        let outcome = try send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        #expect(outcome.error == .notTLS)
        #expect(outcome.error?.message == "the peer spoke plain HTTP where TLS is spoken")
        expectAlertsOnly(outcome.reply)
        #expect(outcome.log.count == 1)
        #expect(outcome.log.first?.hasPrefix("warning: Factory: the TLS handshake with 127.0.0.1:") == true, "\(outcome.log)")
    }

    @Test("T4: random bytes are refused whatever they are", arguments: 0..<20)
    func randomBytes(_ seed: UInt64) throws {
        var generator = Seeded(seed)
        let bytes = (0..<Int.random(in: 5...4000, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let outcome = try send(bytes, thenCloses: true)
        #expect(outcome.error != nil)
        expectAlertsOnly(outcome.reply)
        #expect(outcome.log.count == 1)
    }

    @Test("T4: SSL 3 and TLS 1.0 are not spoken", arguments: [UInt8(0), 1, 2])
    func oldVersions(_ minor: UInt8) throws {
        // A ClientHello as such a client sends it: its version, 32 random bytes, no session, two ciphers of its time.
        let body: [UInt8] = [3, minor] + [UInt8](repeating: 9, count: 32) + [0, 0, 4, 0, 0x2F, 0, 0x35, 1, 0]
        let hello: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        let outcome = try send([0x16, 3, minor, 0, UInt8(hello.count)] + hello)
        #expect(outcome.error == .version, "\(String(describing: outcome.error))")
        expectAlertsOnly(outcome.reply)
    }

    @Test("T4: a ClientHello that never ends is not kept")
    func giantClientHello() throws {
        // 16 MB are announced, and come in records that are as long as may be.
        let record: [UInt8] = [0x16, 3, 1, 0x40, 0] + [1, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 16380)
        let outcome = try send(record + record)
        #expect(outcome.error != nil)
        expectAlertsOnly(outcome.reply)
    }

    @Test("T4, L2: half a ClientHello is waited for no longer than the deadline")
    func halfAClientHello() throws {
        let outcome = try send([0x16, 3, 1, 2, 0, 1, 0, 1]) { $0.handshakeTimeout = .milliseconds(80) }
        #expect(outcome.error == .timedOut)
        #expect(outcome.elapsed >= .milliseconds(80))
        #expect(outcome.error?.message == "the handshake was not over within 0.08 seconds")
    }

    @Test("L2: a peer that sends a byte at a time gains no time by it")
    func aByteAtATime() throws {
        let outcome = try send([0x16, 3, 1, 2, 0] + [UInt8](repeating: 0, count: 400), pieces: 1) {
            $0.handshakeTimeout = .milliseconds(80)
        }
        #expect(outcome.elapsed < .milliseconds(350))
        #expect(outcome.error != nil)
    }

    @Test("T4: a peer that closes without a word has not finished its handshake")
    func aPeerThatCloses() throws {
        let outcome = try send([0x16], thenCloses: true)
        #expect(outcome.error == .closed)
        #expect(outcome.reply == [])
    }

    @Test("T4: TLS on a port that speaks none fails the attempt, and sends nothing of the protocol's")
    func tlsOnAPlainPort() throws {
        let context = try TLSClientContext.test()
        let client = Recorder()
        let server = Recorder()
        server.whenData = { $0.transport.write("500 what?\r\n") }
        var failure: ConnectError?
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned server] _ in server }, interface: "127.0.0.1")
            let factory = Failing(client) { [unowned reactor] error in
                failure = error
                reactor.stop()
            }
            try reactor.connectTCP(
                host: "127.0.0.1", port: port.number,
                factory: TLSClientFactory(wrapping: factory, context: context, serverName: "localhost"))
        }
        #expect(failure?.underlying as? TLSError == .notTLS)
        #expect(client.events == [])
    }

    @Test("T4: a whole conversation a byte at a time is as good as any")
    func everythingAByteAtATime() throws {
        for version in [TLSVersion.tls12, .tls13] {
            let network = try Relay(version: version, chunk: 1)
            #expect(network.server.text == "hello")
            #expect(network.client.text == "hello, too")
            #expect(network.server.reason == .done)
            #expect(network.client.reason == .done)
        }
    }

    @Test("one bit that is changed on the way ends the connection, with nothing of it delivered", arguments: 0..<12)
    func aChangedBit(_ place: Int) throws {
        let network = try Relay(version: .tls13, chunk: .max, breaksRecord: place)
        if network.hasBroken {
            #expect(network.server.text.isEmpty || network.server.text == "hello")
            #expect(network.server.reason?.isClean != true || network.client.reason?.isClean != true || network.server.events.isEmpty)
        }
    }

    @Test("T7: a crowd that shakes hands waits while a limit of handshakes is reached, and is served then")
    func handshakesWaitForEachOther() throws {
        let context = try TLSServerContext.test { $0.handshakesMax = 3 }
        let clientContext = try TLSClientContext.test { $0.resumesSessions = false }
        var made = 0
        var most = 0
        try withReactor { reactor in
            let factory = TLSServerFactory(wrapping: Factory { Answering() }, context: context)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            for _ in 0..<40 {
                let client = Recorder()
                client.whenMade = { [unowned reactor] client in
                    most = max(most, factory.handshakeCount)
                    made += 1
                    client.transport.loseConnection()
                    if made == 40 {
                        reactor.when {
                            reactor.openCount == 0
                        } then: { [unowned reactor] in
                            reactor.stop()
                        }
                    }
                }
                try reactor.connectTCP(
                    host: "127.0.0.1", port: port.number,
                    factory: TLSClientFactory(wrapping: OneClient(client), context: clientContext, serverName: "localhost"))
            }
        }
        #expect(made == 40)
        #expect(most <= 3)
    }

    @Test("L2: connections that wait to shake hands have no more time than the others")
    func waitingHandshakesHaveADeadline() throws {
        let context = try TLSServerContext.test {
            $0.handshakesMax = 1
            $0.handshakeTimeout = .milliseconds(100)
        }
        var errors: [TLSError] = []
        try withReactor { reactor in
            let factory = TLSServerFactory(wrapping: Factory { Answering() }, context: context)
            factory.whenHandshakeFailed = { [unowned reactor] _, error in
                errors.append(error)
                if errors.count == 3 { reactor.stop() }
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            for _ in 0..<3 {
                try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneClient(Recorder()))
            }
        }
        #expect(errors == [.timedOut, .timedOut, .timedOut])
    }
}

/// A generator that begins where it is told.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Hears that an attempt has failed.
final class Failing: ClientFactory {
    private var client: Recorder?
    private let whenFailed: (ConnectError) -> Void

    init(_ client: Recorder, _ whenFailed: @escaping (ConnectError) -> Void) {
        self.client = client
        self.whenFailed = whenFailed
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        defer { client = nil }
        return client
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { whenFailed(reason) }
}
