import ChildProcess
import Foundation
import Testing

/// `twill connect` between a terminal's user, or a pipe, and a server.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ConnectTests {
    private func connect(_ endpoint: String, _ more: String..., input: String) throws -> ToolProcess.End {
        try ToolProcess(["connect", endpoint] + more, input: input).waitForEnd()
    }

    @Test func inputGoesThereAndAnswersComeOut() throws {
        let (server, port) = try ToolProcess.serve("echo")
        let text = String(repeating: "a line of text that is not short\n", count: 20_000)
        let end = try connect("tcp:127.0.0.1:\(port)", input: text)
        #expect(end.status == 0)
        #expect(end.output == text)
        #expect(end.errors == "")
        #expect(try server.terminate().status == 0)
    }

    @Test func linesEndAsTheProtocolWantsThem() throws {
        let (server, port) = try ToolProcess.serve("line-echo")
        let end = try connect("tcp:127.0.0.1:\(port)", "--crlf", input: "one\ntwo\r\n\nrest")
        #expect(end.status == 0)
        #expect(end.output == "one\r\ntwo\r\n\r\n")
        #expect(try server.terminate().status == 0)
    }

    @Test func theServersEndIsTheEndThoughTheInputGoesOn() throws {
        let (server, port) = try ToolProcess.serve("qotd")
        let input = try EndlessInput()
        let end = try ToolProcess(shell: "\"$0\" connect tcp:127.0.0.1:\(port) <>\(input.path)").waitForEnd()
        #expect(end.status == 0)
        #expect(end.output.contains(" -- "))
        #expect(end.errors == "")
        #expect(try server.terminate().status == 0)
    }

    /// A pipe with a name, to be opened for both directions: as input it never ends.
    private final class EndlessInput {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("twill-\(UUID().uuidString)").path

        init() throws {
            guard unsafe mkfifo(path, 0o600) == 0 else { throw ToolProcess.Failure("mkfifo failed, errno \(errno)") }
        }

        deinit { _ = unsafe unlink(path) }
    }

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed")) func whoIsNotThereAndWhoBreaksOffAreOneSentence() throws {
        let refused = try connect("tcp:127.0.0.1:1", input: "")
        #expect(refused.status == 1)
        #expect(refused.complaints.count == 1)
        #expect(refused.errors.contains("Couldn't connect to 127.0.0.1:1: connection refused"))
        let program = """
            import os, signal, socket, struct
            s = socket.create_server(("127.0.0.1", 0))
            print(s.getsockname()[1], flush=True)
            c = s.accept()[0]
            c.recv(1)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
            """
        let breaker = try ChildProcess(["python3", "-c", program])
        let port = try breaker.wait(for: "its port") { observed in observed.output.last == "\n" ? observed.output.dropLast() : nil }
        let broken = try connect("tcp:127.0.0.1:\(port)", input: "hello")
        #expect(broken.status == 1)
        #expect(broken.complaints.count == 1)
        #expect(broken.errors.contains("reset"))
    }

    @Test func programsAreTalkedTo() throws {
        let end = try connect("process:/bin/cat", input: "hello\n")
        #expect(end.status == 0)
        #expect(end.output == "hello\n")
        let missing = try connect("process:/no/such/program", input: "")
        #expect(missing.status == 1)
        #expect(missing.complaints.count == 1)
        #expect(missing.errors.contains("/no/such/program"))
    }

    @Test func standardInputAndOutputAreServed() throws {
        let server = try ToolProcess(["serve", "line-echo", "--listen", "stdio:"], input: "one\r\ntwo\r\n")
        let end = try server.waitForEnd()
        #expect(end.status == 0)
        #expect(end.output == "one\r\ntwo\r\n")
        #expect(end.errors == "")
    }

    @Test func aReaderThatHasHeardEnoughEndsIt() throws {
        let (server, port) = try ToolProcess.serve("chargen")
        let input = try EndlessInput()
        let line = "{ \"$0\" connect tcp:127.0.0.1:\(port) <>\(input.path); echo $? >&2; } | head -n 1 | wc -l"
        let end = try ToolProcess(shell: line).waitForEnd()
        #expect(end.output.contains("1"))
        #expect(end.errors == "0\n")
        #expect(try server.terminate().status == 0)
    }
}
