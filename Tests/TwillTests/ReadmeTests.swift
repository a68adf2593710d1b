import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

// The programs of README.md, word for word, and what it says they do.

private final class Parrot: LineReceiver {
    override func connectionMade() { sendLine("say something, or bye") }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        if text == "bye" { return transport.loseConnection() }
        sendLine("you said \(text)")
    }
}

private final class Upper: NetstringReceiver {
    override func stringReceived(_ string: Span<UInt8>) throws {
        sendString(try String(validating: string).uppercased())
    }
}

private final class Sum: Int32StringReceiver {
    override func stringReceived(_ string: Span<UInt8>) throws {
        var sum = 0
        for index in string.indices { sum += Int(string[index]) }
        try sendString("\(sum)")
    }
}

private final class Chat: Factory {
    var members: [ChatMember] = []
    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        members.count < 100 ? ChatMember(self) : nil
    }
}

private final class ChatMember: LineReceiver {
    private let chat: Chat
    init(_ chat: Chat) {
        self.chat = chat
        super.init()
    }
    override func connectionMade() { chat.members.append(self) }
    override func connectionLost(_ reason: ConnectionLost) { chat.members.removeAll { $0 === self } }
    override func lineReceived(_ line: Span<UInt8>) {
        for member in chat.members where member !== self { member.sendLine(line) }
    }
}

private final class Echo: Twill::Protocol {
    override func connectionMade() throws { try transport.registerProducer(transport, streaming: true) }
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

@Suite(.nothingLivesOn) struct ReadmeTests {
    @Test func tasksServeAndConnect() throws {
        let answers = Mutex<[String]>([])
        try withReactor { reactor in
            // The README's port is one of 8007.
            let port = try reactor.listen("tcp:127.0.0.1:0") { connection in
                for try await line in connection.lines {
                    try await connection.writeLine(line)
                }
            }.port.number
            reactor.task { reactor in
                let connection = try await reactor.connect("tcp:localhost:\(port)")
                try await connection.writeLine("hello")
                answers.withLock { $0.append("") }
                let answer = try await reactor.withTimeout(.seconds(30)) { try await connection.lines.next() }
                answers.withLock { $0.append(answer ?? "closed") }
                reactor.stop()
            }
        }
        #expect(answers.withLock { $0 } == ["", "hello"])
    }

    private final class Uplink: ReconnectingClientFactory {
        var made = 0
        override func buildProtocol(_ address: Address) -> Twill::Protocol? {
            made += 1
            return Recorder()
        }
    }

    @Test func endpointsAreStringsAndClientsConnectAgain() throws {
        let uplink = Uplink()
        uplink.backoff = Backoff(initialDelay: .milliseconds(10), maxDelay: .seconds(30), factor: 2)
        let path = temporarySocketPath()
        try withReactor { reactor in
            try reactor.listen(
                Endpoint("unix:\(path):mode=660"),
                factory: Factory {
                    let server = Recorder()
                    server.whenMade = { $0.transport.loseConnection() }
                    return server
                })
            try reactor.connect(Endpoint("unix:\(path):timeout=5"), factory: uplink)
            reactor.when {
                uplink.made == 3
            } then: { [unowned reactor] in
                uplink.stopTrying()
                reactor.stop()
            }
        }
        #expect(uplink.retries >= 2)
    }

    @Test func policiesWrapEachOtherAndPortsCount() throws {
        try withReactor { reactor in
            let echoes = Factory { Echo() }
            let patient = TimeoutFactory(wrapping: echoes, timeout: .seconds(60))
            let limited = LimitConnectionsByPeer(wrapping: patient, connectionsMax: 20)
            let port = try reactor.listenTCP(port: 0, factory: limited, interface: "127.0.0.1", connectionsMax: 10_000)
            let number = port.number
            reactor.inBackground {
                // More than the system's buffers hold, sent whole before any of it is read back.
                let client = try RawSocket(connectedTo: number)
                let flood = [UInt8](repeating: 0x2E, count: 1 << 20)
                try client.send(flood)
                client.shutdownWriting()
                try #require(client.receiveToEnd().count == flood.count)
            } then: { [unowned reactor] in
                #expect(port.statistics.open == 0)
                #expect(port.statistics.closed(.done) == 1)
                #expect(port.statistics.closed(.timedOut) == 0)
                #expect(reactor.statistics.longestCallback >= .zero)
                reactor.stop()
            }
        }
    }

    @Test func theParrotAnswersUntilBye() throws {
        let parrot = Parrot()
        let wire = RecordingTransport()
        try parrot.makeConnection(wire)
        try parrot.feed("hello\r\nbye\r\nmore\r\n")
        #expect(wire.events == ["write(say something, or bye\r\n)", "write(you said hello\r\n)", "LOSE"])
    }

    @Test func textThatIsNoUTF8EndsTheConnection() throws {
        let parrot = Parrot()
        try parrot.makeConnection(RecordingTransport())
        #expect(throws: (any Error).self) { try parrot.feed("\u{FF}\r\n") }
    }

    @Test func stringsAreAnsweredInTheirFraming() throws {
        for (receiver, input, answer) in [(Upper(), "5:hello,", "5:HELLO,"), (Sum(), "\0\0\0\u{3}abc", "\0\0\0\u{3}294")] {
            let wire = RecordingTransport()
            try receiver.makeConnection(wire)
            try receiver.feed(input)
            #expect(wire.events == ["write(\(answer))"])
        }
    }

    @Test func aFramerTakesBytesApart() throws {
        let bytes = Array("one\ntwo\r\n".utf8)
        var lines: [String] = []
        var framer = LineFramer(delimiter: .any)
        try framer.forEachFrame(in: bytes.span) { line in lines.append(String(repairing: line)) }
        #expect(lines == ["one", "two"])
    }

    @Test func chatMembersHearEachOtherAndTheHundredAndFirstIsRefused() throws {
        let chat = Chat()
        let wires = try (0..<100).map { _ in
            let wire = RecordingTransport()
            try #require(try chat.protocolForConnection(from: .unknown)).makeConnection(wire)
            return wire
        }
        #expect(chat.buildProtocol(.unknown) == nil)
        try chat.members[0].feed("hello\r\n")
        #expect(wires[0].events == [])
        #expect(wires.dropFirst().allSatisfy { $0.events == ["write(hello\r\n)"] })
        for member in chat.members { member.connectionLost(.done) }
        #expect(chat.members.isEmpty)
    }
}
