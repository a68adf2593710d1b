import ChildProcess
import Foundation
import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// Conversations with TLS of other makes, in both directions: OpenSSL's own tools, Python's, and Twisted's.
@Suite(.nothingLivesOn) struct TLSPeerTests {
    private let folder: TemporaryFolder
    private let roots: String
    private let certificate: String
    private let key: String

    init() throws {
        folder = try TemporaryFolder()
        roots = try folder.write("roots.pem", TestCertificate.authority.get().certificate)
        certificate = try folder.write("server.pem", TestCertificate.server.get().certificate)
        key = try folder.write("server.key", TestCertificate.server.get().key)
    }

    /// Runs a program as the client of a server, whose protocols are told of; what it said.
    private func run(
        against handlers: @escaping () -> Twill::Protocol, context: TLSServerContext? = nil, log: RecordedLog = RecordedLog(),
        input: String = "",
        _ command: (Int) -> [String]
    ) throws -> ChildProcess.Observed {
        let context = try context ?? .test()
        var observed: ChildProcess.Observed?
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let factory = TLSServerFactory(wrapping: Factory(handlers), context: context)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let command = command(port.number)
            reactor.inBackground {
                try ChildProcess(command, input: input).waitForEnd()
            } then: { [unowned reactor] end in
                observed = end
                reactor.when {
                    reactor.openCount == 0
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
        }
        return try #require(observed)
    }

    /// Answers lines, and closes when it is told to.
    private final class Lines: LineReceiver {
        init() { super.init(delimiter: .lf) }

        override func lineReceived(_ line: Span<UInt8>) {
            let text = String(repairing: line)
            if text == "quit" { return transport.loseConnection() }
            transport.write("heard \(text)\n")
        }
    }

    /// Answers a greeting, and closes.
    private final class Greeted: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) {
            transport.write("\(String(repairing: data)) to you")
            transport.loseConnection()
        }
    }

    @Test(.needs("openssl"), arguments: ["-tls1_2", "-tls1_3"])
    func openSSLsClient(_ version: String) throws {
        let end = try run(against: { Lines() }, input: "hello\nquit\n") { port in
            [
                "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "localhost", "-CAfile", roots,
                "-verify_return_error",
                "-verify_hostname", "localhost", "-quiet", version,
            ]
        }
        #expect(end.output == "heard hello\n")
        #expect(end.status == 0, "\(end.errors)")
    }

    @Test("T4: versions before 1.2 are refused", .needs("openssl"), arguments: ["-tls1", "-tls1_1"])
    func oldVersions(_ version: String) throws {
        let log = RecordedLog()
        let end = try run(against: { Lines() }, log: log, input: "hello\nquit\n") { port in
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", version, "-cipher", "DEFAULT@SECLEVEL=0", "-quiet"]
        }
        #expect(end.output == "")
        #expect(end.status != 0)
        #expect(log.count(containing: "the two sides have no version of TLS in common") == 1, "\(log.entries)")
    }

    /// Runs OpenSSL's client against a server of lines, and types into it what is to be typed.
    private func type(_ version: String, _ talk: @escaping @Sendable (Typed) throws -> Void) throws -> ChildProcess.Observed {
        let pipe = "\(folder.path)/typed"
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        let context = try TLSServerContext.test()
        let (folder, roots) = (folder, roots)
        var observed: ChildProcess.Observed?
        try withReactor(deadline: .seconds(60)) { reactor in
            let port = try reactor.listenTCP(
                port: 0, factory: TLSServerFactory(wrapping: Factory { Lines() }, context: context), interface: "127.0.0.1")
            let command = "exec openssl s_client -connect 127.0.0.1:\(port.number) \(version) -CAfile \(roots) < \(pipe)"
            reactor.inBackground {
                defer { withExtendedLifetime(folder) {} }
                let child = try ChildProcess(["sh", "-c", command])
                try talk(Typed(child, pipe))
                return try child.waitForEnd()
            } then: { [unowned reactor] end in
                observed = end
                reactor.stop()
            }
        }
        return try #require(observed)
    }

    /// A program and what is typed into it.
    private final class Typed: Sendable {
        let child: ChildProcess
        private let input: FileHandle

        init(_ child: ChildProcess, _ pipe: String) throws {
            self.child = child
            // Returns when the program has opened the other end.
            input = try #require(FileHandle(forWritingAtPath: pipe))
        }

        /// Types a line, and waits until the program has said something so many times.
        func say(_ line: String, until answer: String, count: Int = 1) throws {
            try input.write(contentsOf: Data("\(line)\n".utf8))
            _ = try child.wait(for: "'\(answer)'") { observed in
                (observed.output + observed.errors).components(separatedBy: answer).count > count || observed.isComplete ? true : nil
            }
        }
    }

    @Test("T6: a client that renegotiates is refused", .needs("openssl"))
    func renegotiation() throws {
        let end = try type("-tls1_2") { client in
            try client.say("hello", until: "heard hello")
            try client.say("R", until: "no renegotiation")
        }
        #expect((end.output + end.errors).contains("RENEGOTIATING"))
        #expect((end.output + end.errors).contains("no renegotiation"), "\(end.errors)")
    }

    @Test("T6: a client may change its keys, and ask us to change ours", .needs("openssl"))
    func keyUpdates() throws {
        let end = try type("-tls1_3") { client in
            try client.say("hello", until: "heard hello")
            for number in 1...50 {
                try client.say(number % 2 == 0 ? "K" : "k", until: "KEYUPDATE", count: number)
                if number % 10 == 0 { try client.say("word \(number)", until: "heard word \(number)") }
            }
            try client.say("again", until: "heard again")
            try client.say("quit", until: "closed")
        }
        #expect(end.output.contains("heard again"), "\(end.output.suffix(500))\(end.errors)")
        #expect(end.status == 0)
    }

    @Test("T9: OpenSSL's client takes its session up again after connections that were closed in good order", .needs("openssl"))
    func resumption() throws {
        let end = try run(against: { Greeted() }, input: "") { port in
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-tls1_2", "-reconnect", "-CAfile", roots]
        }
        #expect(end.output.components(separatedBy: "Reused, TLSv1.2").count == 6, "\(end.output)")
    }

    @Test(.needs("openssl"), arguments: ["-tls1_2", "-tls1_3"])
    func openSSLsServer(_ version: String) throws {
        let child = try ChildProcess([
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-rev", "-naccept", "1", version,
        ])
        let port = try child.wait(for: "its port") { observed in
            observed.output.split(separator: "\n").first { $0.hasPrefix("ACCEPT") }?.split(separator: ":").last.flatMap { Int($0) }
        }
        let client = Recorder()
        client.whenMade = { $0.transport.write("hello\n") }
        client.whenData = { if $0.text == "olleh\n" { $0.transport.loseConnection() } }
        try connect(client, to: port)
        #expect(client.text == "olleh\n")
        #expect(client.reason == .done)
    }

    private func connect(_ client: Recorder, to port: Int) throws {
        let context = try TLSClientContext.test()
        try withReactor(deadline: .seconds(60)) { reactor in
            client.whenLost = { [unowned reactor] _, _ in reactor.stop() }
            let factory = TLSClientFactory(
                wrapping: Failing(client) { [unowned reactor] error in
                    Issue.record(error)
                    reactor.stop()
                }, context: context, serverName: "localhost")
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory)
        }
    }

    private var script: String { URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("tls_peer.py").path }

    @Test("X05: Python's client sees the answer and the end, and we see its end", .needs("python3"))
    func pythonsClient() throws {
        var reason: ConnectionLost?
        let end = try run(against: {
            let greeted = Recorder()
            greeted.whenData = {
                $0.transport.write("\($0.text) to you")
                $0.transport.loseConnection()
            }
            greeted.whenLost = { reason = $1 }
            return greeted
        }) { port in ["python3", script, "python", "client", "\(port)", roots] }
        #expect(end.output == "TLSv1.3\nthe end was said by TLS\nhello to you\n", "\(end.errors)")
        #expect(reason == .done)
    }

    @Test("T5: Python's client sees that an aborted connection was cut", .needs("python3"))
    func pythonsClientSeesACut() throws {
        let end = try run(against: {
            let cutting = Recorder()
            cutting.whenData = {
                $0.transport.write("half")
                let transport = $0.transport
                transport.reactor.callLater(.milliseconds(20)) { transport.tls?.inner.loseConnection() }
            }
            return cutting
        }) { port in ["python3", script, "python", "client", "\(port)", roots] }
        #expect(end.output.contains("the connection was cut"), "\(end.output)\(end.errors)")
    }

    @Test("X05: Python's server", .needs("python3")) func pythonsServer() throws {
        try talk(to: ChildProcess(["python3", script, "python", "server", certificate, key]))
    }

    @Test(.needsTwistedTLS) func twistedsServer() throws {
        let python = try #require(TwistedTLS.python)
        try talk(to: ChildProcess([python, script, "twisted", "server", certificate, key]))
    }

    @Test(.needsTwistedTLS) func twistedsClient() throws {
        let python = try #require(TwistedTLS.python)
        let end = try run(against: { Greeted() }) { port in [python, script, "twisted", "client", "\(port)", roots] }
        #expect(end.output == "hello to you\nthe end was said by TLS\n", "\(end.output)\(end.errors)")
    }

    /// Says hello to a server that has printed its port, and closes when it has answered; the server must have seen the end.
    private func talk(to child: ChildProcess) throws {
        let port = try child.wait(for: "its port") { observed in
            observed.output.firstIndex(of: "\n").flatMap { Int(observed.output[..<$0]) }
        }
        let client = Recorder()
        client.whenMade = { $0.transport.write("hello") }
        client.whenData = { if $0.text == "hello to you" { $0.transport.loseConnection() } }
        try connect(client, to: port)
        #expect(client.text == "hello to you")
        #expect(client.reason == .done)
        let end = try child.waitForEnd()
        #expect(end.output == "\(port)\nthe end was said by TLS\n", "\(end.errors)")
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs a test only where a program is on the path.
    static func needs(_ program: String) -> Self {
        .enabled("\(program) is not installed") {
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
            }
        }
    }

    /// Runs a test only where Twisted with its TLS is there or could be installed.
    static var needsTwistedTLS: Self {
        .enabled("Twisted with TLS is not installed, and could not be") { TwistedTLS.python != nil }
    }
}

/// A Python with Twisted and what it needs for TLS, made once below .build and kept there.
enum TwistedTLS {
    /// Its interpreter; nil where it could not be made.
    static let python: String? = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.deletingLastPathComponent().appendingPathComponent(".build/twisted-tls-venv").path
        let python = "\(folder)/bin/python3"
        func succeeds(_ command: [String]) -> Bool { (try? ChildProcess(command).waitForEnd().status) == 0 }
        let check = [python, "-c", "import twisted.internet.ssl"]
        if FileManager.default.isExecutableFile(atPath: python), succeeds(check) { return python }
        guard succeeds(["python3", "-m", "venv", folder]), succeeds([python, "-m", "pip", "install", "--quiet", "twisted[tls]"]),
            succeeds(check)
        else {
            return nil
        }
        return python
    }()
}
