import Foundation
import Testing

@testable import TwillTool

/// The servers, each as a process that a client of the system's own sockets talks to.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ServeTests {
    @Test(arguments: ServerName.allCases.filter { $0 != .udpEcho })
    func terminationEndsEveryServerWithStatusZero(name: ServerName) throws {
        let (server, port) = try ToolProcess.serve(name.rawValue)
        // A connection is open meanwhile.
        let client = try SystemClient(port: port)
        let end = try server.terminate()
        #expect(end.status == 0)
        #expect(end.output == "listening on tcp:127.0.0.1:\(port)\n")
        #expect(end.errors == "")
        withExtendedLifetime(client) {}
    }

    @Test func everyPortIsTold() throws {
        let server = try ToolProcess(["serve", "echo", "--listen", "tcp:127.0.0.1:0", "--listen", "tcp:0", "--listen", "tcp:127.0.0.1:0"])
        let lines = try server.waitForLines(3)
        #expect(lines[0].hasPrefix("listening on tcp:127.0.0.1:"))
        #expect(lines[1].hasPrefix("listening on tcp:[::]:") || lines[1].hasPrefix("listening on tcp:0.0.0.0:"))
        let ports = try lines.map(ToolProcess.port)
        #expect(Set(ports).count == 3)
        for port in ports {
            let client = try SystemClient(port: port)
            try client.send("hello")
            #expect(try client.receive(5) == Array("hello".utf8))
        }
        #expect(try server.terminate().status == 0)
    }

    @Test(arguments: [("echo", "raw"), ("line-echo", "line"), ("netstring-echo", "netstring")])
    func tasksServeAsCallbacksDo(name: String, framing: String) throws {
        let (server, port) = try ToolProcess.serve(name, "--tasks")
        let load = try ToolProcess.run(
            "load", "tcp:127.0.0.1:\(port)", "--framing", framing, "--messages", "2000", "--connections", "5", "--depth", "8")
        #expect(load.status == 0, "\(load.errors)")
        let end = try server.terminate()
        #expect(end.status == 0)
        #expect(end.errors == "")
    }

    @Test func unixSocketsAreServedLoadedAndForwarded() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("twill-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try ToolProcess(["serve", "echo", "--listen", "unix:\(folder.path)/echo"])
        #expect(try server.waitForLines(1) == ["listening on unix:\(folder.path)/echo"])
        let forwarder = try ToolProcess(["forward", "unix:\(folder.path)/front", "unix:\(folder.path)/echo"])
        #expect(try forwarder.waitForLines(1) == ["listening on unix:\(folder.path)/front"])
        for name in ["echo", "front"] {
            let load = try ToolProcess.run("load", "unix:\(folder.path)/\(name)", "--messages", "100", "--connections", "3")
            #expect(load.status == 0, "\(load.errors)")
            #expect(load.output.contains("unix:\(folder.path)/\(name)"))
        }
        #expect(try forwarder.terminate().status == 0)
        #expect(try server.terminate().status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { $0.hasSuffix(".lock") })
    }

    @Test func portInUseIsOneSentenceAndStatusOne() throws {
        let (server, port) = try ToolProcess.serve("echo")
        let second = try ToolProcess.run("serve", "echo", "--listen", "tcp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:\(port)")
        #expect(second.status == 1)
        #expect(second.output == "")
        #expect(second.complaints.count == 1)
        #expect(second.errors.contains("127.0.0.1:\(port)"))
        #expect(second.errors.contains("address already in use"))
        #expect(try server.terminate().status == 0)
    }

    @Test func connectionsAreLoggedWhereThatIsAskedFor() throws {
        let (server, port) = try ToolProcess.serve("qotd", "--verbose")
        _ = try SystemClient(port: port).receiveToEnd()
        let end = try server.terminate()
        #expect(end.status == 0)
        #expect(end.errors.contains("connected to qotd"))
    }

    @Test func echoSendsEveryByteBack() throws {
        let (server, port) = try ToolProcess.serve("echo")
        let client = try SystemClient(port: port)
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try client.send(bytes)
        client.finishSending()
        #expect(try client.receiveToEnd() == bytes)
        #expect(try server.terminate().status == 0)
    }

    @Test func lineEchoSendsWholeLinesBack() throws {
        let (server, port) = try ToolProcess.serve("line-echo")
        let client = try SystemClient(port: port)
        try client.send("one\r\n\r\nthree, bare \n and \r inside\r\nunfini")
        let lines = "one\r\n\r\nthree, bare \n and \r inside\r\n"
        #expect(String(decoding: try client.receive(lines.utf8.count), as: UTF8.self) == lines)
        try client.send("shed\r\nnever ended")
        client.finishSending()
        #expect(String(decoding: try client.receiveToEnd(), as: UTF8.self) == "unfinished\r\n")
        #expect(try server.terminate().status == 0)
    }

    @Test func netstringEchoSendsNetstringsBackAndRefusesTheRest() throws {
        let (server, port) = try ToolProcess.serve("netstring-echo")
        let client = try SystemClient(port: port)
        try client.send("5:hello,0:,3:a,")
        #expect(String(decoding: try client.receive(11), as: UTF8.self) == "5:hello,0:,")
        try client.send("b,")
        #expect(String(decoding: try client.receive(6), as: UTF8.self) == "3:a,b,")
        try client.send("nonsense")
        #expect(try client.receiveToEnd().isEmpty)
        #expect(try server.terminate().status == 0)
    }

    @Test func int32EchoSendsStringsBackAndRefusesThoseThatAreTooLong() throws {
        let (server, port) = try ToolProcess.serve("int32-echo")
        let client = try SystemClient(port: port)
        let hello: [UInt8] = [0, 0, 0, 5] + Array("hello".utf8)
        // An empty string follows, and half of the next one's length.
        try client.send(hello + [0, 0, 0, 0, 0, 0])
        #expect(try client.receive(13) == hello + [0, 0, 0, 0])
        try client.send([0, 3, 255, 0])
        try client.send([7])
        #expect(try client.receive(7) == [0, 0, 0, 3, 255, 0, 7])
        // 100000 bytes are announced, one more than may come.
        try client.send([0, 1, 0x86, 0xA0])
        #expect(try client.receiveToEnd().isEmpty)
        #expect(try server.terminate().status == 0)
    }

    @Test func udpEchoSendsDatagramsBackAndStopsAtASignal() throws {
        let server = try ToolProcess(["serve", "udp-echo", "--listen", "udp:127.0.0.1:0", "--listen", "udp:[::1]:0"])
        let lines = try server.waitForLines(2)
        #expect(lines[0].hasPrefix("listening on udp:127.0.0.1:") && lines[1].hasPrefix("listening on udp:[::1]:"))
        let port = try #require(lines[0].split(separator: ":").last.flatMap { UInt16($0) })
        let client = try SystemClient(datagramsTo: port)
        for size in [5, 0, 65_507, 1] {
            let datagram = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try client.sendDatagram(datagram)
            #expect(try client.receiveDatagram() == datagram)
        }
        let end = try server.terminate()
        #expect(end.status == 0)
        #expect(end.errors == "")
    }

    @Test func discardSaysNothing() throws {
        let (server, port) = try ToolProcess.serve("discard")
        let client = try SystemClient(port: port)
        try client.send([UInt8](repeating: 7, count: 1_000_000))
        client.finishSending()
        #expect(try client.receiveToEnd().isEmpty)
        #expect(try server.terminate().status == 0)
    }

    @Test func chargenSendsItsPatternOn() throws {
        let (server, port) = try ToolProcess.serve("chargen")
        let client = try SystemClient(port: port)
        let periods = 150
        let text = try client.receive(periods * Chargen.period.count)
        #expect(text == Array(repeatElement(Chargen.period, count: periods).joined()))
        #expect(try server.terminate().status == 0)
    }

    @Test func daytimeTellsTheTimeAndCloses() throws {
        let (server, port) = try ToolProcess.serve("daytime")
        let before = Int(Date().timeIntervalSince1970)
        let line = String(decoding: try SystemClient(port: port).receiveToEnd(), as: UTF8.self)
        let after = Int(Date().timeIntervalSince1970)
        #expect((before...after).contains { line == Daytime.line(atUnixSeconds: $0) + "\r\n" }, "\(line)")
        #expect(try server.terminate().status == 0)
    }

    @Test func qotdSendsOneOfItsQuotesAndCloses() throws {
        #expect(QuoteOfTheDay.quotes.allSatisfy { $0.utf8.count < 510 && $0.utf8.allSatisfy { (32..<127).contains($0) } })
        let (server, port) = try ToolProcess.serve("qotd")
        let quote = String(decoding: try SystemClient(port: port).receiveToEnd(), as: UTF8.self)
        #expect(QuoteOfTheDay.quotes.contains { $0 + "\r\n" == quote }, "\(quote)")
        #expect(try server.terminate().status == 0)
    }
}
