import Foundation
import TestSupport
import Testing

@testable import Twill

/// The four echo servers as programs see them that know nothing of Twill.
@Suite(
    "Clients that others wrote", .nothingLivesOn, .enabled(if: ServerProcess.tool != nil, "the tool twill was not built with these tests"))
struct ForeignPeerTests {
    /// A server, what is sent to it, and what comes back.
    struct Conversation: Sendable, CustomTestStringConvertible {
        let server: String
        let sent: String
        let received: String

        var testDescription: String { server }
    }

    static let conversations = [
        Conversation(server: "echo", sent: "hello, world\n", received: "hello, world\n"),
        Conversation(server: "line-echo", sent: "one\r\n\r\nthree\r\n", received: "one\r\n\r\nthree\r\n"),
        Conversation(server: "netstring-echo", sent: "5:hello,0:,3:1:a,", received: "5:hello,0:,3:1:a,"),
        Conversation(
            server: "int32-echo", sent: "\0\0\0\u{5}hello\0\0\0\0\0\0\0\u{1}!", received: "\0\0\0\u{5}hello\0\0\0\0\0\0\0\u{1}!"),
    ]

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed"), arguments: conversations)
    func pythonsSocket(conversation: Conversation) throws {
        let server = try ServerProcess(conversation.server)
        // Byte by byte, then whole.
        let script = """
            import socket, sys
            sent, expected = bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
            for size in (1, len(sent)):
                with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as s:
                    for start in range(0, len(sent), size):
                        s.sendall(sent[start:start + size])
                    s.shutdown(socket.SHUT_WR)
                    with s.makefile("rb") as f:
                        received = f.read()
                assert received == expected, received
            print("agreed")
            """
        let (status, text) = try output(
            of: ["python3", "-c", script, "\(server.port)", Self.hex(conversation.sent), Self.hex(conversation.received)])
        #expect(status == 0 && text == "agreed\n", "\(text)")
        #expect(try server.stop() == 0)
    }

    /// A text's UTF-8 as digits: an argument cannot hold every byte, a zero among them.
    private static func hex(_ text: String) -> String {
        text.utf8.map { String(format: "%02x", $0) }.joined()
    }

    @Test(.enabled(if: hasProgram("nc"), "nc is not installed"), arguments: conversations)
    func netcat(conversation: Conversation) throws {
        let server = try ServerProcess(conversation.server)
        // Which option makes it end at the end of its input differs; waiting a second for the answer is what all of them know.
        let (_, text) = try output(of: ["nc", "-w", "1", "127.0.0.1", "\(server.port)"], input: conversation.sent)
        #expect(text == conversation.received)
    }

    @Test(.needsTwisted, arguments: ["echo", "line-echo", "netstring-echo", "int32-echo"])
    func twistedsOwnProtocols(name: String) throws {
        let python = try #require(TwistedEnvironment.python)
        let server = try ServerProcess(name)
        let (status, text) = try output(of: [python, "-c", Self.twistedClient, "\(server.port)", name])
        #expect(status == 0 && text == "agreed\n", "\(text)")
        #expect(try server.stop() == 0)
    }

    /// Sends a thousand messages of many sizes with Twisted's own protocols and compares what comes back.
    private static let twistedClient = """
        import sys
        from twisted.internet import reactor, protocol
        from twisted.protocols import basic

        port, name = int(sys.argv[1]), sys.argv[2]
        messages = [bytes([65 + i % 26]) * (i * 37 % 5000) for i in range(1000)]
        outcome = ["the connection was lost too early"]

        class Check:
            received = 0
            def check(self, message):
                if message != messages[self.received]:
                    outcome[0] = "message %d differs" % self.received
                    self.transport.abortConnection()
                self.received += 1
                if self.received == len(messages):
                    outcome[0] = "agreed"
                    self.transport.loseConnection()
            def connectionLost(self, reason):
                if reactor.running:
                    reactor.stop()

        class Lines(Check, basic.LineReceiver):
            def connectionMade(self):
                for m in messages: self.sendLine(m)
            def lineReceived(self, line):
                self.check(line)

        class Strings(Check):
            def connectionMade(self):
                for m in messages: self.sendString(m)
            def stringReceived(self, string):
                self.check(string)

        class Netstrings(Strings, basic.NetstringReceiver): pass

        class Int32Strings(Strings, basic.Int32StringReceiver): pass

        class Raw(Check, protocol.Protocol):
            buffer = b""
            def connectionMade(self):
                self.transport.writeSequence(messages)
            def dataReceived(self, data):
                self.buffer += data
                while self.received < len(messages) and len(self.buffer) >= len(messages[self.received]):
                    size = len(messages[self.received])
                    head, self.buffer = self.buffer[:size], self.buffer[size:]
                    self.check(head)

        kinds = {"echo": Raw, "line-echo": Lines, "netstring-echo": Netstrings, "int32-echo": Int32Strings}
        reactor.connectTCP("127.0.0.1", port, protocol.ClientFactory.forProtocol(kinds[name]))
        reactor.callLater(30, reactor.stop)
        reactor.run()
        print(outcome[0])
        sys.exit(outcome[0] != "agreed")
        """
}
