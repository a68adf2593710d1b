import ArgumentParser
import Logging
import Twill

/// `twill connect`: joins a connection with standard input and output.
struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Talk to a server by standard input and output.",
        discussion: """
            What you type goes to the server, a line at a time on a terminal, and what it says comes out here. When the input ends (Ctrl-D), \
            the server is told so and may still answer; when the server closes, it is over.

            Examples:

              twill connect tcp:127.0.0.1:8007
              twill connect tcp:example.com:smtp --crlf
              echo hello | twill connect unix:/tmp/echo
              twill connect process:/usr/bin/bc:-q
              twill connect tls:example.com:443 --crlf

            The exit status is 0 if the server closed in good order, and 1 if it could not be reached or the connection broke; a line on \
            standard error says why.
            """)

    @Argument(
        help: ArgumentHelp(
            """
            The server: tcp:HOST:PORT, an IPv6 host in brackets, tls:HOST:PORT, unix:PATH, or process:PROGRAM:ARGUMENT for the input and output of a program. \
            timeout=SECONDS says how long connecting may take. (default: 30)
            """, valueName: "endpoint"),
        transform: streamClient)
    var endpoint: any StreamClientEndpoint

    @Flag(help: "Send CR LF at the end of each line, as most protocols of lines want it.")
    var crlf = false

    @Flag(help: "Log what goes on inside, on standard error.")
    var verbose = false

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        let reactor = try LibeventReactor(logger: logger)
        let conversation = Conversation(sendsCRLF: crlf)
        try endpoint.connect(conversation, on: reactor)
        try reactor.run()
        if let problem = conversation.problem { throw ToolFailure(problem) }
    }
}

/// The one connection, and what came of it.
private final class Conversation: ClientFactory {
    private let sendsCRLF: Bool
    /// Why it did not end in good order.
    var problem: String?

    init(sendsCRLF: Bool) {
        self.sendsCRLF = sendsCRLF
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        RemoteSide(self, LocalSide(sendsCRLF: sendsCRLF))
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        problem = reason.underlying is SystemError || reason.underlying == nil ? "\(reason)" : reason.underlying.map { "\($0)" }
        connector.reactor.stop()
    }
}

/// The server's side. Each side sends what the other one receives, as fast as its own peer takes it.
private final class RemoteSide: Protocol, HalfCloseableProtocol {
    private let conversation: Conversation
    private let local: LocalSide

    init(_ conversation: Conversation, _ local: LocalSide) {
        self.conversation = conversation
        self.local = local
        super.init()
    }

    override func connectionMade() throws {
        transport.reactor.logger.info("connected to \(transport.peer)")
        local.remote = transport
        try transport.reactor.serveStandardIO(with: local)
        try local.transport.registerProducer(transport, streaming: true)
    }

    override func dataReceived(_ data: Span<UInt8>) { local.transport.write(data) }

    func readConnectionLost() {
        // It would wait for the end of the input.
        transport.unregisterProducer()
        transport.loseConnection()
    }

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) {
        if !reason.isClean, reason != .reactorStopped, conversation.problem == nil, !local.hasEnded { conversation.problem = "\(reason)" }
        local.finish()
    }
}

/// Standard input and output.
private final class LocalSide: Protocol, HalfCloseableProtocol {
    private let sendsCRLF: Bool
    private var lastByte: UInt8 = 0
    /// The server's connection, until it has ended.
    var remote: Transport?
    /// Whether nobody reads the output any more.
    private(set) var hasEnded = false

    init(sendsCRLF: Bool) {
        self.sendsCRLF = sendsCRLF
        super.init()
    }

    override func connectionMade() throws {
        try remote?.registerProducer(transport, streaming: true)
    }

    override func dataReceived(_ data: Span<UInt8>) {
        guard sendsCRLF else {
            remote?.write(data)
            return
        }
        var bytes: [UInt8] = []
        for index in data.indices {
            if data[index] == UInt8(ascii: "\n"), lastByte != UInt8(ascii: "\r") { bytes.append(UInt8(ascii: "\r")) }
            lastByte = data[index]
            bytes.append(lastByte)
        }
        remote?.write(bytes)
    }

    func readConnectionLost() {
        remote?.unregisterProducer()
        remote?.loseWriteConnection()
    }

    func writeConnectionLost() {}

    /// The server's side has ended: what it said comes out, and that is all.
    func finish() {
        guard let reactor = remote?.reactor else { return }
        remote = nil
        if hasEnded || transport.state == .disconnected { return reactor.stop() }
        transport.unregisterProducer()
        transport.loseConnection()
    }

    override func connectionLost(_ reason: ConnectionLost) {
        hasEnded = true
        guard let remote else { return transport.reactor.stop() }
        // Who read the output has heard enough.
        remote.unregisterProducer()
        remote.loseConnection()
    }
}
