import Testing
import Twill
import TwillTesting

/// How fast a simulation is. Debug builds are no measure; `swift test -c release -Xswiftc -enable-testing --filter ThroughputTests` is one.
@Suite("The speed of a simulation")
struct ThroughputTests {
    /// Sends each message back as often as it is told to.
    private final class Rally: Protocol {
        private(set) var count = 0
        override func dataReceived(_ data: Span<UInt8>) {
            count += 1
            transport.write(data)
        }
    }

    @Test func aSecondIsEnoughForThreeHundredThousandDeliveries() throws {
        #if DEBUG
        let wanted = 50_000
        #else
        let wanted = 3_000_000
        #endif
        let network = SimulatedNetwork()
        network.conditions = LinkConditions(latency: .milliseconds(1), jitter: .microseconds(100))
        try network.host("server").listenTCP(port: 1, factory: Factory { Rally() })
        let clients = (0..<5).map { _ in Rally() }
        for (number, client) in clients.enumerated() {
            try network.host("client \(number)").connectTCP(
                host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        }
        try network.run(for: .seconds(1))
        for client in clients { client.transport.write([UInt8](repeating: 1, count: 64)) }
        let start = ContinuousClock.now
        _ = try network.run(within: .seconds(3_600)) { clients.reduce(0) { $0 + $1.count } * 2 >= wanted }
        let elapsed = ContinuousClock.now - start
        let rate = Int(Double(wanted) / (elapsed / .seconds(1)))
        print("\(rate) deliveries per second")
        #if !DEBUG
        #expect(rate >= 300_000)
        #endif
        try network.stop()
    }
}
