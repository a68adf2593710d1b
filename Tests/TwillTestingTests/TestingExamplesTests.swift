import Testing
import Twill
import TwillTesting

// The programs of TwillTesting.md, word for word, and what they say they do; each test ends what it began, which the article leaves out.

private final class Upper: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        if text == "bye" { return transport.loseConnection() }
        sendLine(text.uppercased())
    }
}

private final class Patient: LineReceiver {
    override func connectionMade() { setTimeout(.seconds(30)) }
    override func lineReceived(_ line: Span<UInt8>) { resetTimeout() }
}

private final class Hasty: Twill::Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write("[\(String(repairing: data))]") }
}

/// That of README.md.
private final class Parrot: LineReceiver {
    override func connectionMade() { sendLine("say something, or bye") }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        if text == "bye" { return transport.loseConnection() }
        sendLine("you said \(text)")
    }
}

@Suite("The examples of the testing article")
struct TestingExamplesTests {
    @Test(arguments: everyChunking(of: "hello\r\nbye\r\n"))
    func theParrotDoesNotCareForChunks(_ chunking: Chunking) throws {
        let transport = try feed(Parrot(), "hello\r\nbye\r\n", chunked: chunking)
        #expect(transport.text == "say something, or bye\r\nyou said hello\r\n")
        transport.lose()
    }

    @Test func linesComeBackInUpperCase() throws {
        let transport = try feed(Upper(), "hello\r\nbye\r\nnever heard\r\n")
        #expect(transport.text == "HELLO\r\n")
        #expect(transport.state == .disconnecting)
        transport.lose()
    }

    @Test(arguments: everyChunking(of: "hello\r\nworld\r\n"))
    func theCutsMakeNoDifference(_ chunking: Chunking) throws {
        let transport = try feed(Upper(), "hello\r\nworld\r\n", chunked: chunking)
        #expect(transport.text == "HELLO\r\nWORLD\r\n")
        transport.lose()
    }

    @Test func whoIsSilentForHalfAMinuteIsGivenUp() throws {
        let reactor = SimulatedReactor()
        let transport = StringTransport(reactor: reactor)
        try transport.connect(Patient())
        try reactor.run(for: .seconds(29))
        #expect(transport.state == .connected)
        try reactor.run(for: .seconds(1))
        #expect(transport.reason == .timedOut)
        transport.lose()
    }

    @Test func aClientIsAnsweredAcrossTheOcean() throws {
        let network = SimulatedNetwork()
        network.conditions = LinkConditions(latency: .milliseconds(80), jitter: .milliseconds(20))
        try network.host("server").listenTCP(port: 8007, factory: Factory { Upper() })
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 8007, factory: ClientFactory { client })
        try network.run(for: .seconds(1))
        client.transport.write("hello\r\n")
        try network.run(for: .seconds(1))
        #expect(client.text == "HELLO\r\n")
        try network.stop()
    }

    private final class Persistent: ReconnectingClientFactory {
        private(set) var connectionCount = 0
        override func buildProtocol(_ address: Address) -> Twill::Protocol? {
            connectionCount += 1
            resetDelay()
            return Asker()
        }

        /// Asks every ten seconds, and gives up who does not answer.
        final class Asker: LineReceiver {
            override func connectionMade() {
                setTimeout(.seconds(30))
                ask()
            }
            private func ask() {
                sendLine("question")
                transport.callLater(.seconds(10)) { [unowned self] in ask() }
            }
            override func lineReceived(_ line: Span<UInt8>) { resetTimeout() }
        }
    }

    @Test func aClientSurvivesTheServersDeath() throws {
        let network = SimulatedNetwork()
        try network.boot("server") { try $0.listenTCP(port: 8007, factory: Factory { Upper() }) }
        let client = Persistent()
        try network.host("client").connectTCP(host: "server", port: 8007, factory: client)
        network.after(.seconds(10)) { [unowned network] in network.crash("server", by: .blackout) }
        network.after(.seconds(60)) { [unowned network] in try network.restart("server") }
        try network.run(for: .seconds(300))
        #expect(client.connectionCount == 2)
        client.stopTrying()
        try network.stop()
    }

    // The client of the page FlakyToReplayed, before and after.
    private class EchoClient: Twill::Protocol {
        let word: String
        let done: (Bool) -> Void
        var heard: [UInt8] = []
        init(word: String, done: @escaping (Bool) -> Void) {
            self.word = word
            self.done = done
            super.init()
        }
        override func connectionMade() { transport.write(word) }
        override func dataReceived(_ data: Span<UInt8>) {
            done(String(repairing: data) == word)
            transport.loseConnection()
        }
    }

    private final class PatientEchoClient: EchoClient {
        override func dataReceived(_ data: Span<UInt8>) {
            heard.append(copying: data)
            guard heard.count >= word.utf8.count else { return }
            done(heard == Array(word.utf8))
            transport.loseConnection()
        }
    }

    private final class EchoServer: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    private func theWordComesBack(_ makeClient: @escaping (@escaping (Bool) -> Void) -> EchoClient) throws {
        try Simulation.check(seeds: 100, test: "theWordComesBackWhateverTheNetworkDoes") { network in
            network.faults = .mild
            try network.host("server").listenTCP(port: 7, factory: Factory { EchoServer() })
            var answers: [Bool] = []
            try network.host("client").connectTCP(
                host: "server", port: 7, factory: ClientFactory { makeClient { answers.append($0) } })
            try network.run(for: .seconds(60))
            try network.expect(answers == [true], "the answers were \(answers)")
        }
    }

    @Test func theFlakyClientFailsAsThePageSaysAndTheCureCures() throws {
        let failure = #expect(throws: SimulationFailure.self) { try theWordComesBack { EchoClient(word: "hello, world", done: $0) } }
        let page = """
            seed 1: the answers were [false]
            with the faults: 1 splits
            again: TWILL_SIM=seed=1,without=slowNames swift test --filter theWordComesBackWhateverTheNetworkDoes
            0.000000 s  client: a timer
            0.000000 s  client>server#1: connects
            0.003000 s  server>client#1: is accepted
            0.003000 s  client>server#1: 4 bytes arrive
            0.003000 s  client>server#1: 8 bytes arrive
            0.004000 s  server>client#1: 4 bytes arrive
            0.004000 s  server>client#1: 8 bytes arrive
            0.004000 s  client>server#1: its protocol is told of the loss
            """
        #expect(failure?.description.hasPrefix(page) == true, "\(failure.map { "\($0)" } ?? "nothing")")
        try theWordComesBack { PatientEchoClient(word: "hello, world", done: $0) }
    }

    @Test func eachQuestionHasOneAnswer() throws {
        let failure = #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 100) { network in
                network.faults = .mild
                try network.host("server").listenTCP(port: 8007, factory: Factory { Hasty() })
                let client = AccumulatingProtocol()
                try network.host("client").connectTCP(host: "server", port: 8007, factory: ClientFactory { client })
                try network.run(for: .seconds(10))
                client.transport.write("question")
                try network.run(for: .seconds(10))
                try network.expect(client.text == "[question]", "the answer was \(client.text)")
            }
        }
        #expect(failure.map { $0.description.contains("TWILL_SIM=\($0.run) swift test --filter eachQuestionHasOneAnswer") } == true)
    }
}
