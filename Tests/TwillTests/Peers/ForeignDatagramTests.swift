import ChildProcess
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// The UDP echo as programs see it that know nothing of Twill.
@Suite(
    "UDP clients that others wrote", .nothingLivesOn,
    .enabled(if: ServerProcess.tool != nil, "the tool twill was not built with these tests"))
struct ForeignDatagramTests {
    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed"))
    func pythonsSocket() throws {
        let server = try ServerProcess("udp-echo", scheme: "udp")
        let script = """
            import socket, sys
            server = ("127.0.0.1", int(sys.argv[1]))
            clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(10)]
            for c in clients:
                c.settimeout(20)
            for size in [0, 1, 64, 1472, 1473, 8192, 20000, 65507] + [64] * 200:
                # All at once where the system's buffers hold that.
                together = len(clients) if size < 2000 else 1
                for first in range(0, len(clients), together):
                    for number in range(first, first + together):
                        clients[number].sendto(bytes([number]) * size, server)
                    for number in range(first, first + together):
                        data, sender = clients[number].recvfrom(65536)
                        assert data == bytes([number]) * size and sender == server, (len(data), sender)
            print("agreed")
            """
        let (status, text) = try output(of: ["python3", "-c", script, "\(server.port)"])
        #expect(status == 0 && text == "agreed\n", "\(text)")
        #expect(try server.stop() == 0)
    }

    @Test(.enabled(if: hasProgram("nc"), "nc is not installed"))
    func netcat() throws {
        let server = try ServerProcess("udp-echo", scheme: "udp")
        let (_, text) = try output(of: ["nc", "-u", "-w", "1", "127.0.0.1", "\(server.port)"], input: "hello, world\n")
        #expect(text == "hello, world\n")
        #expect(try server.stop() == 0)
    }

    @Test(.needsTwisted, arguments: ["connected", "unconnected"])
    func twistedsOwnDatagramProtocol(way: String) throws {
        let python = try #require(TwistedEnvironment.python)
        let server = try ServerProcess("udp-echo", scheme: "udp")
        let (status, text) = try output(of: [python, "-c", Self.twistedClient, "\(server.port)", way])
        #expect(status == 0 && text == "agreed\n", "\(text)")
        #expect(try server.stop() == 0)
    }

    /// Sends a thousand datagrams of many sizes, a few at a time, and compares what comes back.
    private static let twistedClient = """
        import sys
        from twisted.internet import reactor, protocol

        server, isConnected = ("127.0.0.1", int(sys.argv[1])), sys.argv[2] == "connected"
        messages = [bytes([65 + i % 26]) * (i * 37 % 8192) for i in range(1000)]
        outcome = ["not all came back"]

        class Client(protocol.DatagramProtocol):
            received = 0
            def startProtocol(self):
                if isConnected:
                    self.transport.connect(*server)
                for m in messages[:8]: self.send(m)
            def send(self, message):
                self.transport.write(message, None if isConnected else server)
            def datagramReceived(self, data, sender):
                if data != messages[self.received] or sender != server:
                    outcome[0] = "datagram %d differs" % self.received
                    return reactor.stop()
                self.received += 1
                if self.received == len(messages):
                    outcome[0] = "agreed"
                    return reactor.stop()
                if self.received + 7 < len(messages):
                    self.send(messages[self.received + 7])

        reactor.listenUDP(0, Client(), interface="127.0.0.1")
        reactor.callLater(30, reactor.stop)
        reactor.run()
        print(outcome[0])
        sys.exit(outcome[0] != "agreed")
        """

    @Test(.needsTwisted)
    func twistedsOwnServer() throws {
        let python = try #require(TwistedEnvironment.python)
        let server = try ChildProcess([python, "-u", "-c", Self.twistedServer])
        let line = try server.wait(for: "the port of Twisted's server") { observed in
            observed.output.firstIndex(of: "\n").map { observed.output[..<$0] }
        }
        let address = try #require(Address(host: "127.0.0.1", port: UInt16(line) ?? 0))
        let texts = (0..<300).map { "\($0)" + String(repeating: ".", count: $0 * 5) }
        let recorder = DatagramRecorder()
        recorder.whenReceived = { recorder, _, _ in
            let count = recorder.received.count
            if count == texts.count { return recorder.transport.reactor.stop() }
            // Four are on their way at a time.
            if count % 4 == 0 { for text in texts[count..<min(count + 4, texts.count)] { try recorder.transport.write(text) } }
        }
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder)
            try port.connect(to: address)
            for text in texts[..<4] { try port.write(text) }
        }
        #expect(recorder.texts == texts)
    }

    private static let twistedServer = """
        from twisted.internet import reactor, protocol

        class Echo(protocol.DatagramProtocol):
            def datagramReceived(self, data, sender):
                self.transport.write(data, sender)

        port = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
        print(port.getHost().port)
        reactor.callLater(60, reactor.stop)
        reactor.run()
        """
}
