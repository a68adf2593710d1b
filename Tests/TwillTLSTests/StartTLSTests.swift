import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// TLS that begins in the middle of a connection.
@Suite(.nothingLivesOn) struct StartTLSTests {
    /// A server of lines that goes on by TLS when it is told to.
    private final class Mail: LineReceiver, TLSHandshakeListener {
        private(set) var lines: [String] = []
        private(set) var completions = 0
        private(set) var reason: ConnectionLost?
        private let context: TLSServerContext
        var writesMeanwhile = false

        init(_ context: TLSServerContext) {
            self.context = context
            super.init()
        }

        override func lineReceived(_ line: Span<UInt8>) throws {
            let text = String(repairing: line)
            lines.append(text)
            switch text {
            case "STARTTLS":
                sendLine("220 go ahead")
                try startTLS(context)
                if writesMeanwhile { sendLine("250 written before the handshake was over") }
            case "QUIT":
                sendLine("221 bye")
                transport.loseConnection()
            default: sendLine("250 \(text)\(transport.tls == nil ? "" : " by TLS")")
            }
        }

        func handshakeCompleted() { completions += 1 }

        override func connectionLost(_ reason: ConnectionLost) { self.reason = reason }
    }

    /// A client that says its lines one by one, after each answer.
    private final class Sender: LineReceiver, TLSHandshakeListener {
        private(set) var answers: [String] = []
        private(set) var reason: ConnectionLost?
        private var rest: ArraySlice<String>
        private let context: TLSClientContext
        var whenLost: () -> Void = {}
        /// What is sent with the request, before its answer.
        var injected = ""

        init(_ lines: [String], _ context: TLSClientContext) {
            rest = lines[...]
            self.context = context
            super.init()
        }

        private func next() {
            guard let line = rest.popFirst() else { return }
            if line == "STARTTLS", !injected.isEmpty { return transport.write("STARTTLS\r\n\(injected)\r\n") }
            sendLine(line)
        }

        override func connectionMade() { next() }

        override func lineReceived(_ line: Span<UInt8>) throws {
            let text = String(repairing: line)
            answers.append(text)
            if text == "220 go ahead" {
                try startTLS(context, serverName: "localhost")
                // It waits for the handshake, as what the server writes does.
                next()
            } else {
                next()
            }
        }

        func handshakeCompleted() { answers.append("(secure)") }

        override func connectionLost(_ reason: ConnectionLost) {
            self.reason = reason
            whenLost()
        }
    }

    private func talk(_ server: Mail, _ client: Sender) throws {
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned server] _ in server }, interface: "127.0.0.1")
            client.whenLost = { [unowned reactor] in
                reactor.when {
                    server.reason != nil
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneProtocol(client))
        }
        client.whenLost = {}
    }

    @Test func aConversationGoesOnByTLS() throws {
        let server = Mail(try .test())
        let client = Sender(["a", "STARTTLS", "b", "QUIT"], try .test())
        try talk(server, client)
        #expect(server.lines == ["a", "STARTTLS", "b", "QUIT"])
        #expect(client.answers == ["250 a", "220 go ahead", "(secure)", "250 b by TLS", "221 bye"])
        #expect(server.completions == 1)
        #expect(server.reason == .done)
        #expect(client.reason == .done)
    }

    @Test("X03: what is written before the handshake is over is sent after it")
    func whatIsWrittenMeanwhileIsSentAfterIt() throws {
        let server = Mail(try .test())
        server.writesMeanwhile = true
        let client = Sender(["STARTTLS", "b", "QUIT"], try .test())
        try talk(server, client)
        #expect(client.answers == ["220 go ahead", "(secure)", "250 written before the handshake was over", "250 b by TLS", "221 bye"])
    }

    @Test("H15: what was sent in the clear behind the request does not pass for something encrypted")
    func nothingInTheClearPassesForEncrypted() throws {
        let server = Mail(try .test())
        let client = Sender(["STARTTLS", "b"], try .test())
        client.injected = "evil"
        try talk(server, client)
        #expect(server.lines == ["STARTTLS"])
        #expect(server.reason?.underlying as? TLSError == .notTLS, "\(String(describing: server.reason))")
        #expect(server.completions == 0)
        #expect(client.answers == ["220 go ahead"])
    }

    @Test func aHandshakeThatFailsIsTheReasonOfTheLoss() throws {
        let server = Mail(try .test(TestCertificate().identity()))
        let client = Sender(["STARTTLS", "b"], try .test())
        try talk(server, client)
        #expect(client.reason?.underlying as? TLSError == .selfSigned)
        #expect(server.reason?.underlying as? TLSError == .alert)
        #expect(server.lines == ["STARTTLS"])
    }

    @Test("X04: losing the connection in the middle of the handshake, with nothing written, ends it at once")
    func losingInTheMiddleOfTheHandshake() throws {
        let (server, client) = (Recorder(), Recorder())
        let context = try TLSServerContext.test()
        server.whenMade = {
            try $0.startTLS(context)
            $0.transport.loseConnection()
        }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned server] _ in server }, interface: "127.0.0.1")
            client.whenLost = { [unowned reactor] _, _ in
                reactor.when {
                    server.lossCount > 0
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneClient(client))
        }
        #expect(server.events == [.made, .lost(.done)])
        #expect(client.received == [])
    }

    @Test func itCanNotBeginWithoutAConnectionOrBesideAProducer() throws {
        let context = try TLSServerContext.test()
        let idle = Recorder()
        #expect(throws: TLSUsageError.notConnected) { try idle.startTLS(context) }
        let (server, client) = (Recorder(), Recorder())
        server.whenMade = { server in
            try server.transport.registerProducer(Silent(), streaming: true)
            #expect(throws: ProducerError.alreadyRegistered) { try server.startTLS(context) }
            server.transport.unregisterProducer()
            server.transport.write("still in the clear")
            server.transport.loseConnection()
            #expect(throws: TLSUsageError.notConnected) { try server.startTLS(context) }
        }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned server] _ in server }, interface: "127.0.0.1")
            client.whenLost = { [unowned reactor] _, _ in reactor.stop() }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: OneClient(client))
        }
        #expect(client.text == "still in the clear")
    }

    @Test func tasksGoOnByTLSToo() async throws {
        let (serverContext, clientContext) = (try TLSServerContext.test(), try TLSClientContext.test())
        let answers = try await LibeventReactor.run { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                for try await line in connection.lines {
                    let text = line
                    if text == "STARTTLS" {
                        try await connection.writeLine("220 go ahead")
                        try await connection.startTLS(serverContext)
                        break
                    }
                }
                for try await line in connection.lines {
                    try await connection.writeLine("\(connection.transport.tls == nil ? "clear" : "secret") \(line)")
                }
            }
            let connection = try await reactor.connect("tcp:127.0.0.1:\(server.address.port ?? 0)")
            var answers: [String] = []
            try await connection.writeLine("STARTTLS")
            for try await line in connection.lines {
                answers.append(line)
                break
            }
            try await connection.startTLS(clientContext, serverName: "localhost")
            try await connection.writeLine("hello")
            for try await line in connection.lines {
                answers.append(line)
                break
            }
            await #expect(throws: TLSError.self) {
                let other = try await reactor.connect("tcp:127.0.0.1:\(server.address.port ?? 0)")
                try await other.writeLine("STARTTLS")
                for try await _ in other.lines { break }
                try await other.startTLS(clientContext, serverName: "elsewhere.test")
            }
            return answers
        }
        #expect(answers == ["220 go ahead", "secret hello"])
    }
}

private final class Silent: Producer {
    func resumeProducing() {}
    func stopProducing() {}
}

/// Connects one protocol.
final class OneProtocol: ClientFactory {
    private var only: Twill::Protocol?

    init(_ only: Twill::Protocol) {
        self.only = only
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        defer { only = nil }
        return only
    }
}
