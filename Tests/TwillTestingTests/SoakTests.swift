import Synchronization
import Testing
import Twill

@testable import TwillTesting

/// Answers each netstring with itself, at a limited pace.
private final class NetstringEcho: NetstringReceiver {
    override func connectionMade() { setTimeout(.seconds(60)) }
    override func stringReceived(_ string: Span<UInt8>) {
        resetTimeout()
        sendString(string)
    }
}

/// Sends numbered strings of growing length over connections that come and go, and knows which answers are right.
private final class Numbers: ReconnectingClientFactory {
    private(set) var answered = 0
    var wrong: [String] = []

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        resetDelay()
        return Counter(self)
    }

    final class Counter: NetstringReceiver {
        private let numbers: Numbers
        private var sent = 0
        private var next = 0
        init(_ numbers: Numbers) {
            self.numbers = numbers
            super.init()
        }
        override func connectionMade() {
            setTimeout(.seconds(30))
            for _ in 0..<3 { say() }
        }
        private func say() {
            sendString(Self.text(sent))
            sent += 1
        }
        private static func text(_ number: Int) -> String {
            String(repeating: "\(number).", count: number % 7 == 0 ? 2_000 : 1 + number % 50)
        }
        override func stringReceived(_ string: Span<UInt8>) {
            resetTimeout()
            let text = String(repairing: string)
            if text != Self.text(next) { numbers.wrong.append("\(text.prefix(20)) where \(next) was next") }
            next += 1
            numbers.answered += 1
            transport.callLater(.seconds(1)) { [unowned self] in say() }
        }
    }
}

/// Pours bytes down a connection as fast as they are taken, and takes what comes back, which must be a prefix of it.
private final class Pump: ReconnectingClientFactory {
    private(set) var returned = 0
    var wrong: [String] = []

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        resetDelay()
        return Pipe(self)
    }

    final class Pipe: Twill::Protocol, Producer {
        private let pump: Pump
        private var sent = 0
        private var seen = 0
        init(_ pump: Pump) {
            self.pump = pump
            super.init()
        }
        var hasMore: Bool { sent < 60_000 }
        override func connectionMade() throws {
            setTimeout(.seconds(60))
            try transport.registerProducer(self, streaming: false)
        }
        func resumeProducing() {
            let count = min(10_000, 60_000 - sent)
            transport.write((sent..<sent + count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            sent += count
            if sent == 60_000 { transport.unregisterProducer() }
        }
        func pauseProducing() {}
        func stopProducing() {}
        override func dataReceived(_ data: Span<UInt8>) {
            resetTimeout()
            for index in data.indices where data[index] != UInt8(truncatingIfNeeded: (seen + index) &* 31) {
                pump.wrong.append("a wrong byte at \(seen + index)")
                break
            }
            seen += data.count
            pump.returned += data.count
            if seen == 60_000 { transport.loseConnection() }
        }
    }
}

/// Sends back what it gets, and takes no more of it than its peer takes.
private final class Mirror: Twill::Protocol, Producer {
    override func connectionMade() throws {
        setTimeout(.seconds(60))
        try transport.registerProducer(self, streaming: true)
    }
    override func dataReceived(_ data: Span<UInt8>) {
        resetTimeout()
        transport.write(data)
    }
    func pauseProducing() { transport.pauseProducing() }
    func resumeProducing() { transport.resumeProducing() }
    func stopProducing() {}
}

/// Asks by datagrams, once a second.
private final class Pinger: DatagramProtocol {
    private(set) var heard: Set<String> = []
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) { heard.insert(String(repairing: data)) }
}

private final class Ponger: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws { try transport.write(data, to: sender) }
}

/// What a task counts.
private final class Tally: Sendable {
    private let counts = Mutex((answers: 0, wrong: 0))
    func count(right: Bool) { counts.withLock { if right { $0.answers += 1 } else { $0.wrong += 1 } } }
    var answers: Int { counts.withLock { $0.answers } }
    var wrong: Int { counts.withLock { $0.wrong } }
}

/// Much of the library at once, on a bad network: policies, framing, producers, a relay, tasks, endpoints, datagrams.
@Suite("A soak")
struct SoakTests {
    private func scene(_ network: SimulatedNetwork) throws {
        try network.boot("server") { reactor in
            let throttled = ThrottlingFactory(wrapping: Factory { NetstringEcho() }, bytesInPerSecond: 20_000, connectionsMax: 20)
            try reactor.listenTCP(port: 1, factory: throttled)
            try reactor.listenTCP(port: 2, factory: LimitTotalConnectionsFactory(wrapping: Factory { Mirror() }, connectionsMax: 10))
            try reactor.listen("tcp:3") { connection in
                for try await line in connection.lines { try await connection.writeLine(line) }
            }
            try reactor.listenUDP(port: 7, protocol: Ponger())
        }
        try network.boot("relay") { try $0.listenTCP(port: 1, factory: PortForwardFactory(host: "server", port: 1)) }
        network.conditions = LinkConditions(
            latency: .milliseconds(20), jitter: .milliseconds(20), bytesPerSecond: 50_000, windowBytes: 16_384)
        network.faults = .swarm(seed: network.seed)

        let numbers = Numbers()
        try network.host("a").connectTCP(host: "relay", port: 1, factory: numbers)
        let pump = Pump()
        pump.backoff.initialDelay = .seconds(15)
        try network.host("b").connectTCP(host: "server", port: 2, factory: pump)
        let tally = Tally()
        network.host("c").task { reactor in
            while true {
                do {
                    let connection = try await reactor.connect("tcp:server:3")
                    for number in 0..<20 {
                        try await connection.writeLine("line \(number)")
                        let answer = try await reactor.withTimeout(.seconds(20)) { try await connection.lines.next() }
                        guard let answer else { break }
                        tally.count(right: answer == "line \(number)")
                        try await reactor.sleep(for: .milliseconds(200))
                    }
                    connection.close()
                } catch {
                    if Task.isCancelled { return }
                }
                try await reactor.sleep(for: .seconds(2))
            }
        }
        let pinger = Pinger()
        let pings = network.host("d")
        let server = Address.ipv4(network.host("server").address).with(port: 7)
        try pings.listenUDP(port: 0, protocol: pinger)
        var pingCount = 0
        let pinging = LoopingCall(on: pings) { [unowned pinger] in
            pingCount += 1
            try pinger.transport.write("\(pingCount)", to: server)
        }
        try pinging.start(.seconds(1))
        network.invariant("an answer was wrong") { numbers.wrong.isEmpty && pump.wrong.isEmpty && tally.wrong == 0 }

        try network.run(for: .seconds(300))
        network.heal()
        try network.run(for: .seconds(200))
        let progress = (numbers.answered, pump.returned, tally.answers, pinger.heard.count)
        try network.run(for: .seconds(300))
        try network.expect(numbers.answered > progress.0, "the netstrings have stopped")
        try network.expect(pump.returned > progress.1, "the pump has stopped")
        try network.expect(tally.answers > progress.2, "the lines have stopped")
        try network.expect(pinger.heard.count > progress.3, "the datagrams have stopped")
        numbers.stopTrying()
        pump.stopTrying()
        pinging.stop()
    }

    @Test func muchOfTheLibrarySurvivesASwarmOfFaults() throws {
        try Simulation.check(seeds: 3) { try scene($0) }
    }

    @Test func tasksAndCallbacksGiveTheSameTraceTwice() throws {
        let plan = try SeedPlan(seeds: 2, ["TWILL_SIM_CHECK": "1"])
        try Simulation.check(plan, test: "tasksAndCallbacksGiveTheSameTraceTwice") { try scene($0) }
    }
}
