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
