import ChildProcess
import Foundation
import Testing

@testable import TwillTool

/// `twill forward` as a process between clients and servers that know nothing of Twill.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ForwardTests {
    /// Which of the two ends of a forwarded connection something is about.
    enum End: String, CaseIterable, Sendable {
        case client, target
    }

    /// Starts a forwarder on a free port of 127.0.0.1, and waits until it listens.
    private func forward(
        from options: String = "", to target: String, _ more: String...
    ) throws -> (process: ToolProcess, port: UInt16) {
        let process = try ToolProcess(["forward", "tcp:127.0.0.1:0\(options)", "tcp:\(target)"] + more)
        return (process, try ToolProcess.port(in: try process.waitForLines(1)[0]))
    }

    /// Starts a Python program that first says on which port it listens.
    private func listen(_ program: String, _ arguments: String...) throws -> (process: ChildProcess, port: UInt16) {
        let process = try ChildProcess(["python3", "-c", program] + arguments)
        let line = try process.wait(for: "its port") { observed in
            observed.output.firstIndex(of: "\n").map { observed.output[..<$0] }
        }
        guard let port = UInt16(line) else { throw ChildProcess.Failure("'\(line)' is no port") }
        return (process, port)
    }

    @Test func bytesComeThroughInBothDirectionsAndTerminationEndsIt() throws {
        let (server, target) = try ToolProcess.serve("echo")
        let (forwarder, port) = try forward(to: "localhost:\(target)")
        let client = try SystemClient(port: port)
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try client.send(bytes)
        #expect(try client.receive(bytes.count) == bytes)
        let end = try forwarder.terminate()
        #expect(end.status == 0)
        #expect(end.output == "listening on tcp:127.0.0.1:\(port)\n")
        #expect(end.warnings == [])
        #expect(try client.receiveToEnd() == [])
        #expect(try server.terminate().status == 0)
    }

    @Test func twoHundredConnectionsAtOnceAreNotMixedUp() throws {
        let (server, target) = try ToolProcess.serve("echo")
        let (forwarder, port) = try forward(to: "127.0.0.1:\(target)")
        let clients = try (0..<200).map { _ in try SystemClient(port: port) }
        func message(_ number: Int) -> [UInt8] { Array(repeatElement("number \(number); ", count: 100).joined().utf8) }
        for (number, client) in clients.enumerated() { try client.send(message(number)) }
        for (number, client) in clients.enumerated().reversed() {
            client.finishSending()
            #expect(try client.receiveToEnd() == message(number))
        }
        #expect(try forwarder.terminate().warnings == [])
        #expect(try server.terminate().status == 0)
    }

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed"))
    func anAnswerThatWaitsForTheEndOfTheQuestionComes() throws {
        let (target, targetPort) = try listen(Self.counter)
        let (forwarder, port) = try forward(to: "127.0.0.1:\(targetPort)")
        let client = try SystemClient(port: port)
        try client.send("how many bytes are these?")
        client.finishSending()
        #expect(String(decoding: try client.receiveToEnd(), as: UTF8.self) == "25")
        #expect(try forwarder.terminate().status == 0)
        target.send(SIGTERM)
    }

    #if os(Linux)
    @Test(.enabled(if: hasProgram("python3") && netcatSaysItsEnd, "python3 or an nc with the option -N is not installed"))
    func netcatsEndIsCarriedOver() throws {
        let (target, targetPort) = try listen(Self.counter)
        let (forwarder, port) = try forward(to: "127.0.0.1:\(targetPort)")
        let netcat = try ChildProcess(["nc", "-N", "127.0.0.1", "\(port)"], input: "hello")
        let end = try netcat.waitForEnd()
        #expect(end.output == "5")
        #expect(end.status == 0)
        #expect(try forwarder.terminate().status == 0)
        target.send(SIGTERM)
    }

    /// Whether the installed nc can say that its input has ended, as OpenBSD's can.
    private static let netcatSaysItsEnd = hasProgram("nc") && (try? ChildProcess(["nc", "-h"]).waitForEnd().errors.contains("-N")) == true
    #endif

    @Test func aTargetThatRefusesIsToldAndTheNextConnectionIsServedAllTheSame() throws {
        let deaf = try DeafPort()
        let (forwarder, port) = try forward(to: "127.0.0.1:\(deaf.port)")
        for _ in 0..<2 {
            let client = try SystemClient(port: port)
            try client.send("hello")
            #expect(try client.receiveToEnd() == [])
        }
        let end = try forwarder.terminate()
        #expect(end.status == 0)
        #expect(end.warnings.count == 2)
        for warning in end.warnings {
            #expect(warning.contains("Couldn't forward 127.0.0.1:"))
            #expect(warning.contains("Couldn't connect to 127.0.0.1:\(deaf.port): connection refused"))
        }
    }

    @Test func aTargetWhoseNameIsUnknownIsTold() throws {
        let (forwarder, port) = try forward(to: "nonexistent.invalid:80")
        #expect(try SystemClient(port: port).receiveToEnd() == [])
        let end = try forwarder.terminate()
        #expect(end.status == 0)
        #expect(end.warnings.count == 1)
        #expect(end.errors.contains("Couldn't connect to nonexistent.invalid:80: the host name has no address"))
    }

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed"))
    func killingTheTargetResetsTheClient() throws {
        let (target, targetPort) = try listen(Self.sleeper)
        let (forwarder, port) = try forward(to: "127.0.0.1:\(targetPort)")
        let client = try SystemClient(port: port)
        try client.send([UInt8](repeating: 1, count: 200_000))
        try target.wait(for: "its first bytes") { $0.output.contains("reading") ? () : nil }
        target.send(SIGKILL)
        let error = #expect(throws: SystemClient.Failure.self) { try client.receiveToEnd() }
        #expect(error?.description == "recv failed, errno \(ECONNRESET)")
        #expect(try forwarder.terminate().status == 0)
    }

    @Test func asManyConnectionsAsAllowedAreForwardedAtOnceAndOthersWait() throws {
        let (server, target) = try ToolProcess.serve("echo")
        let (forwarder, port) = try forward(from: ":connectionsMax=1", to: "127.0.0.1:\(target)")
        let first = try SystemClient(port: port)
        try first.send("first")
        #expect(String(decoding: try first.receive(5), as: UTF8.self) == "first")
        let second = try SystemClient(port: port)
        try second.send("second")
        try forwarder.waitForErrors { $0.contains("is full with 1 connections, others must wait") }
        first.finishSending()
        #expect(try first.receiveToEnd() == [])
        #expect(String(decoding: try second.receive(6), as: UTF8.self) == "second")
        #expect(try forwarder.terminate().status == 0)
        #expect(try server.terminate().status == 0)
    }

    @Test func connectionsAreLoggedWhereThatIsAskedFor() throws {
        let deaf = try DeafPort()
        let (forwarder, port) = try forward(to: "127.0.0.1:\(deaf.port)", "--verbose")
        _ = try SystemClient(port: port).receiveToEnd()
        let end = try forwarder.terminate()
        #expect(end.errors.contains("forwarding to tcp:127.0.0.1:\(deaf.port)"))
        #expect(end.complaints.contains { $0.contains("127.0.0.1:") && $0.hasSuffix(" connected") })
        #expect(end.errors.contains("stopped"))
    }

    @Test func portInUseIsOneSentenceAndStatusOne() throws {
        let (forwarder, port) = try forward(to: "127.0.0.1:1")
        let second = try ToolProcess.run("forward", "tcp:127.0.0.1:\(port)", "tcp:127.0.0.1:1")
        #expect(second.status == 1)
        #expect(second.output == "")
        #expect(second.complaints.count == 1)
        #expect(second.errors.contains("Couldn't listen on 127.0.0.1:\(port): address already in use"))
        #expect(try forwarder.terminate().status == 0)
    }

    #if os(Linux)
    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed"), arguments: End.allCases)
    func aGibibyteGoesToASlowReaderWholeAndInBoundedMemory(reader: End) throws {
        let size = 1 << 30
        func role(_ end: End) -> String { end == reader ? "read" : "send" }
        let (target, targetPort) = try listen(Self.bulkPeer, "target", role(.target), "\(size)")
        let (forwarder, port) = try forward(to: "127.0.0.1:\(targetPort)")
        let before = try forwarder.peakResidentKiB()
        let client = try ChildProcess(["python3", "-c", Self.bulkPeer, "client", role(.client), "\(size)", "\(port)"])
        let ends = try [client.waitForEnd(), target.waitForEnd()]
        #expect(ends.allSatisfy { $0.status == 0 }, "\(ends.map(\.errors))")
        let digests = ends.compactMap { $0.output.split(separator: "\n").last }
        #expect(digests.count == 2 && digests[0] == digests[1] && digests[0].hasPrefix("\(size) bytes, SHA-256 "), "\(digests)")
        let growth = try forwarder.peakResidentKiB() - before
        #expect(growth < 8 << 10, "its memory grew by \(growth) KiB from \(before)")
        #expect(try forwarder.terminate().status == 0)
    }
    #endif

    /// Reads one connection after another to its end, and answers with the number of bytes.
    private static let counter = """
        import socket
        s = socket.create_server(("127.0.0.1", 0))
        print(s.getsockname()[1], flush=True)
        while True:
            with s.accept()[0] as c, c.makefile("rb") as f:
                c.sendall(b"%d" % len(f.read()))
        """

    /// Takes a connection, reads a little of what comes, and leaves the rest unread.
    private static let sleeper = """
        import socket, time
        s = socket.create_server(("127.0.0.1", 0))
        print(s.getsockname()[1], flush=True)
        c = s.accept()[0]
        c.recv(100)
        print("reading", flush=True)
        time.sleep(60)
        """

    /// Sends so many bytes as fast as it can, or reads all there are: through a small buffer, with a pause now and then. Ends with how many
    /// bytes that were, and their digest.
    private static let bulkPeer = """
        import hashlib, os, socket, sys, time
        end, role, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
        s = socket.socket()
        s.settimeout(50)
        if role == "read":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        if end == "target":
            s.bind(("127.0.0.1", 0))
            s.listen()
            print(s.getsockname()[1], flush=True)
            s = s.accept()[0]
            s.settimeout(50)
        else:
            s.connect(("127.0.0.1", int(sys.argv[4])))
        digest, done = hashlib.sha256(), 0
        if role == "send":
            block = bytearray(os.urandom(1 << 20))
            for number in range(size // len(block)):
                # No two blocks are alike, so one that is lost or comes twice shows.
                block[:4] = number.to_bytes(4, "big")
                digest.update(block)
                s.sendall(block)
                done += len(block)
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b""
        else:
            buffer = memoryview(bytearray(1 << 18))
            while count := s.recv_into(buffer):
                digest.update(buffer[:count])
                if done >> 22 < (done + count) >> 22:
                    time.sleep(0.002)
                if done >> 26 < (done + count) >> 26:
                    time.sleep(0.05)
                done += count
        s.close()
        print("%d bytes, SHA-256 %s" % (done, digest.hexdigest()))
        """
}

extension ToolProcess {
    /// The most memory that it had at once so far (Linux).
    fileprivate func peakResidentKiB() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { throw Failure("no VmHWM in \(status)") }
        return number
    }
}

extension ToolProcess.End {
    /// What it logged, but for the reactor's own word on a machine too busy to serve in time.
    fileprivate var warnings: [Substring] { complaints.filter { !$0.contains("kept the reactor busy") } }
}

/// Whether a program is on the path.
func hasProgram(_ name: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
}
