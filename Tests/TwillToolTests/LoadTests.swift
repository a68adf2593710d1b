import Foundation
import Testing

@testable import TwillTool

/// `twill load` against the servers of `twill serve`, and against servers that do something wrong.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct LoadTests {
    /// Runs a load whose report goes to a file of its own; the end, and the report where one was written.
    private func load(_ port: UInt16, _ options: String...) throws -> (end: ToolProcess.End, report: LoadReport?) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("twill-load-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        let end = try ToolProcess.run(["load", "tcp:127.0.0.1:\(port)", "--json", file.path] + options)
        guard FileManager.default.fileExists(atPath: file.path) else { return (end, nil) }
        return (end, try JSONDecoder().decode(LoadReport.self, from: Data(contentsOf: file)))
    }

    private static let servers: [(name: String, framing: LoadFraming)] = [
        ("echo", .raw), ("line-echo", .line), ("netstring-echo", .netstring), ("int32-echo", .int32),
    ]

    @Test(arguments: servers)
    func everyFramingIsEchoedWithoutErrors(server: (name: String, framing: LoadFraming)) throws {
        let (process, port) = try ToolProcess.serve(server.name)
        let (end, written) = try load(
            port, "--framing", server.framing.rawValue, "--connections", "5", "--depth", "3", "--duration", "300ms", "--warmup", "100ms")
        #expect(end.status == 0)
        #expect(end.errors == "")
        let report = try #require(written)
        #expect(report.endpoint == "tcp:127.0.0.1:\(port)")
        #expect(report.framing == server.framing)
        #expect((report.connections, report.size, report.depth) == (5, 64, 3))
        #expect((report.errors, report.failedConnections) == (0, 0))
        #expect(report.messages > 0 && report.totalMessages > report.messages)
        #expect(report.durationSeconds >= 0.3)
        #expect(abs(report.messagesPerSecond * report.durationSeconds - Double(report.messages)) < 1)
        #expect(abs(report.megabytesPerSecond * 1_000_000 - report.messagesPerSecond * 64) < 1)
        let latency = report.latencyMicroseconds
        let ascending = [0, latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
        #expect(ascending == ascending.sorted() && latency.p50 > 0)
        for word in ["messages/s", "MB/s", "p50", "p90", "p99", "p99.9", "max", "errors", "5 asked for, 5 connected, 0 failed"] {
            #expect(end.output.contains(word), "\(word)")
        }
        #expect(try process.terminate().status == 0)
    }

    @Test(arguments: servers)
    func exactNumberOfMessagesIsSent(server: (name: String, framing: LoadFraming)) throws {
        let (process, port) = try ToolProcess.serve(server.name)
        for (messages, connections, depth) in [(1, 3, 2), (7, 3, 2), (1000, 3, 5), (1001, 1, 1)] {
            let (end, written) = try load(
                port, "--framing", server.framing.rawValue, "--messages", "\(messages)", "--connections", "\(connections)",
                "--depth", "\(depth)", "--size", "100")
            #expect(end.status == 0)
            let report = try #require(written)
            #expect((report.messages, report.totalMessages) == (messages, messages))
            #expect((report.errors, report.failedConnections) == (0, 0))
        }
        #expect(try process.terminate().status == 0)
    }

    @Test func keysOfTheReportAreTheDocumentedOnes() throws {
        let (process, port) = try ToolProcess.serve("echo")
        let end = try ToolProcess.run("load", "tcp:127.0.0.1:\(port)", "--messages", "10", "--json", "/dev/stdout")
        #expect(try process.terminate().status == 0)
        let json = try #require(end.output.split(separator: "\n").first { $0.hasPrefix("{") })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(
            object.keys.sorted() == [
                "connections", "course", "depth", "duration_seconds", "endpoint", "errors", "failed_connections", "framing",
                "latency_microseconds", "machine", "megabytes_per_second", "messages", "messages_per_second", "percentiles", "size",
                "total_messages",
            ])
        #expect(((object["percentiles"] as? [[String: Any]])?.first?.keys.sorted() ?? []) == ["microseconds", "percent"])
        let latency = try #require(object["latency_microseconds"] as? [String: Any])
        #expect(latency.keys.sorted() == ["max", "p50", "p90", "p99", "p99_9"])
    }

    @Test func moreInFlightThanAServerHoldsComesBackWhole() throws {
        let (process, port) = try ToolProcess.serve("echo")
        let (end, written) = try load(port, "--size", "1048576", "--depth", "32", "--connections", "1", "--messages", "50")
        #expect(end.status == 0)
        #expect(end.errors == "")
        #expect(try #require(written).totalMessages == 50)
        #expect(try process.terminate().status == 0)
    }

    @Test func signalEndsTheLoadEarlyWithItsTable() throws {
        let (process, port) = try ToolProcess.serve("echo", "--verbose")
        let load = try ToolProcess(["load", "tcp:127.0.0.1:\(port)", "--connections", "2", "--duration", "1000s", "--json", "/dev/stdout"])
        // The server's log tells when the load has connected, and so hears signals.
        try process.waitForErrors { $0.components(separatedBy: "connected to echo").count > 2 }
        let end = try load.terminate()
        #expect(end.status == 0)
        #expect(end.errors == "")
        #expect(end.output.contains("2 asked for, 2 connected, 0 failed"))
        #expect(try process.terminate().status == 0)
    }

    @Test func refusedConnectionIsOneSentence() throws {
        let deaf = try DeafPort()
        let (end, report) = try load(deaf.port, "--connections", "10")
        #expect(end.status == 1)
        #expect(end.output == "")
        #expect(report == nil)
        #expect(end.complaints.count == 1)
        #expect(end.errors.contains("127.0.0.1:\(deaf.port)") && end.errors.contains("refused"))
    }

    private static let faults: [(framing: LoadFraming, fault: BadServer.Fault, words: String)] = [
        (.raw, .flip(offset: 64 * 5 + 17), "at offset 17 of reply 6"),
        (.raw, .drop(offset: 64 * 5 + 17), "at offset 17 of reply 6"),
        (.raw, .insert(offset: 64 * 5 + 17), "at offset 17 of reply 6"),
        (.raw, .flip(offset: 0), "at offset 0 of reply 1"),
        (.int32, .flip(offset: 64 * 5 + 2), "at offset 2 of reply 6"),
    ]

    @Test(arguments: faults)
    func wrongReplyIsNamedAndFailsTheLoad(framing: LoadFraming, fault: BadServer.Fault, words: String) throws {
        let server = try BadServer(fault)
        let (end, written) = try load(
            server.port, "--framing", framing.rawValue, "--connections", "1", "--depth", "4", "--messages", "100")
        #expect(end.status == 1)
        #expect(end.complaints.count == 1)
        #expect(end.errors.contains("connection 1 got byte 0x"), "\(end.errors)")
        #expect(end.errors.contains(words), "\(end.errors)")
        #expect(end.output.contains("messages/s"))
        let report = try #require(written)
        #expect((report.errors, report.failedConnections) == (1, 0))
    }

    @Test func lostConnectionFailsTheLoad() throws {
        let server = try BadServer(.close(offset: 64 * 10))
        let (end, written) = try load(server.port, "--connections", "3", "--duration", "60s")
        #expect(end.status == 1)
        #expect(end.complaints.count == 1)
        #expect(end.errors.contains("ended before the load did"), "\(end.errors)")
        let report = try #require(written)
        #expect((report.errors, report.failedConnections, report.totalMessages) == (3, 3, 30))
    }

    @Test func missingRepliesAreWaitedForAndCounted() throws {
        let server = try BadServer(.fallSilent(offset: 64 * 10))
        let (end, written) = try load(server.port, "--connections", "2", "--duration", "200ms", "--warmup", "0")
        #expect(end.status == 1)
        #expect(end.complaints.count == 1)
        #expect(end.errors.contains("2 replies were still missing"), "\(end.errors)")
        let report = try #require(written)
        #expect((report.errors, report.failedConnections, report.totalMessages) == (2, 0, 20))
    }
}
