import Logging
import MetricsTestKit
import TestSupport
import Testing
import Twill
import TwillMetrics
import TwillServices
import TwillTesting

@Suite("Metrics for swift-metrics", .nothingLivesOn)
struct MetricsServiceTests {
    private final class Echo: Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    @Test func countersGrowByWhatWasCountedAndGaugesAreWhatIs() throws {
        let network = SimulatedNetwork(logger: Logger(Diary()))
        network.conditions = LinkConditions(latency: .zero)
        let metrics = TestMetrics()
        let root = MultiService(on: network.host("server"))
        try root.add(TCPServer(port: 8007, factory: Factory { Echo() }))
        try root.add(MetricsService(every: .seconds(10), factory: metrics))
        try root.start()
        let reactor = ("reactor", "0")
        func count(_ name: String, _ dimensions: (String, String)...) throws -> Int64 {
            try metrics.expectCounter(name, [reactor] + dimensions).totalValue
        }
        #expect(try count("twill_connections_accepted_total") == 0)
        for number in 1...2 {
            let client = AccumulatingProtocol()
            try network.host("client").connectTCP(
                host: "server", port: 8007, factory: ClientFactory { [weak client] (_: Address) in client })
            try network.run(for: .seconds(1))
            client.transport.write("hello")
            try network.run(for: .seconds(12))
            #expect(try count("twill_connections_accepted_total") == Int64(number))
            #expect(try count("twill_received_bytes_total") == Int64(5 * number))
            #expect(try metrics.expectGauge("twill_connections_open", [reactor]).lastValue == 1)
            client.transport.loseConnection()
            try network.run(for: .seconds(1))
        }
        root.stop()
        // A last time.
        #expect(try count("twill_connections_closed_total", ("reason", "done")) == 2)
        #expect(try metrics.expectGauge("twill_connections_open", [reactor]).lastValue == 0)
        try network.stop()
    }
}
