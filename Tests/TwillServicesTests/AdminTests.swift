import ChildProcess
import Foundation
import TestSupport
import Testing
import Twill
import TwillTesting

@testable import TwillServices

@Suite("The admin endpoint", .nothingLivesOn, .timeLimit(.minutes(5)))
struct AdminTests {
    /// What the endpoint answers to some bytes, however they are cut.
    private func answer(to request: String, chunked: Chunking = .whole, asked: Diary = Diary()) throws -> String {
        let handler = AdminProtocol { path in
            asked.note(String(path))
            return .succeed(AdminAnswer(text: "this is \(path)\n"))
        }
        let transport = try feed(handler, request, chunked: chunked)
        #expect((transport.state == .connected) == transport.text.isEmpty)
        transport.lose()
        return transport.text
    }

    @Test(arguments: [Chunking.whole, .byteByByte]) func aRequestIsAnswered(chunked: Chunking) throws {
        let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\nConnection: close\r\n\r\n"
        #expect(try answer(to: "GET /live HTTP/1.1\r\nHost: x\r\n\r\n", chunked: chunked) == head + "this is /live\n")
        #expect(try answer(to: "GET /live?verbose=1 HTTP/1.0\n\nrubbish\n\n", chunked: chunked) == head + "this is /live\n")
        #expect(try answer(to: "HEAD /live HTTP/1.0\r\n\r\n", chunked: chunked) == head)
    }

    @Test(
        arguments: [
            ("POST /live HTTP/1.1\r\n\r\n", "405 Method Not Allowed"), ("GET /live\r\n\r\n", "400 Bad Request"),
            ("nonsense\r\n", "400 Bad Request"), ("\r\n", "400 Bad Request"), ("GET live HTTP/1.1\r\n", "400 Bad Request"),
            ("GET  /live HTTP/1.1\r\n", "400 Bad Request"), ("GET /live HTTP/2\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 200), "400 Bad Request"),
        ])
    func whatIsNoRequestIsRefused(request: String, status: String) throws {
        let asked = Diary()
        #expect(try answer(to: request, asked: asked).hasPrefix("HTTP/1.0 \(status)\r\n"))
        #expect(asked.entries == [])
    }

    @Test func anUnfinishedRequestIsNotAnsweredAndALongLineCloses() throws {
        #expect(try answer(to: "GET /live HTTP/1.1\r\nHost: x\r\n") == "")
        let transport = try feed(
            AdminProtocol { _ in .succeed(AdminAnswer(text: "")) }, String(repeating: "x", count: 5000), chunked: .whole)
        #expect(transport.text == "" && transport.state != .connected)
        transport.lose()
    }

    @Test func whoAsksTooSlowlyIsTurnedAwayAfterTenSeconds() throws {
        let network = SimulatedNetwork()
        let server = network.host("server")
        let port = try server.listenTCP(port: 80, factory: Factory { AdminProtocol { _ in .succeed(AdminAnswer(text: "")) } })
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 80, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        for _ in 0..<8 {
            client.transport.write("G")
            try network.run(for: .seconds(1))
        }
        #expect(!client.wasLost)
        try network.run(for: .seconds(2))
        #expect(client.wasLost && client.text == "")
        port.stopListening()
        try network.stop()
    }

    @Test func itTellsHowTheProgramIs() throws {
        let folder = try TestFolder()
        let probe = try ProbeProcess(["--admin", "tcp:127.0.0.1:0", "--reactors", "2"], in: folder)
        _ = try probe.port()
        let log = probe.process.observed.errors.split(separator: "\n")
        let port = try #require(log.first { $0.contains("admin listens on") }?.split(separator: ":").last.flatMap { Int($0) })
        let server = try #require(log.first { $0.contains("tcp:127.0.0.1:0 listens") }?.split(separator: ":").last.flatMap { Int($0) })
        #expect(try get("/live", port).hasSuffix("\r\n\r\nlive\n"))
        let ready = try get("/ready", port)
        #expect(ready.hasPrefix("HTTP/1.0 200 OK"), "\(ready)")
        #expect(try get("/else", port).hasPrefix("HTTP/1.0 404 Not Found"))
        let clients = try (0..<20).map { _ in try LineClient(port: server) }
        for client in clients { #expect(client.ask("hello") == "hello") }
        let metrics = try get("/metrics", port)
        for line in ["twill_ready 1", "twill_reactors 2", "twill_connections_closed_total{reason=\"done\"} 3"] {
            #expect(metrics.contains("\n\(line)\n"), "\(line) is not in \(metrics)")
        }
        // Those of both reactors, and this one.
        #expect(metrics.contains("\ntwill_connections_open 21\n"))
        #expect(metrics.contains("\ntwill_connections_accepted_total 24\n"))
        for line in metrics.components(separatedBy: "\r\n\r\n")[1].split(separator: "\n") where !line.hasPrefix("#") {
            #expect(line.wholeMatch(of: /[a-z_]+(\{reason="[a-z_]+"\})? [0-9.e-]+/) != nil, "\(line)")
        }
        // A program that ends says so until it has ended.
        // It is on the first reactor, and goes on to answer while the second one has something to do.
        let busy = try #require(clients.first { $0.ask("reactor") == "1" })
        busy.send("slow 2")
        #expect(busy.ask("hello") == "hello")
        probe.process.send(SIGTERM)
        try probe.process.wait(for: "draining") { $0.errors.contains("draining") ? () : nil }
        try wait { (try? get("/ready", port).hasPrefix("HTTP/1.0 503 Service Unavailable")) == true }
        for _ in 0..<50 { #expect(try get("/live", port).hasPrefix("HTTP/1.0 200 OK")) }
        #expect(busy.next() == "done")
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func itIsForThisMachineAlone() throws {
        let folder = try TestFolder()
        let end = try ProbeProcess.end(["--admin", "tcp:0"], in: folder)
        #expect(end.status == 78)
        #expect(end.errors.contains("for everybody: give unix:PATH or tcp:127.0.0.1:PORT"))
        let probe = try ProbeProcess(["--admin", "unix:admin"], in: folder)
        _ = try probe.port()
        #expect(folder.names == ["admin", "admin.lock"])
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }

    private func get(_ path: String, _ port: Int) throws -> String {
        let client = try LineClient(port: port)
        client.send("GET \(path) HTTP/1.0\r\n\r")
        return client.rest()
    }
}
