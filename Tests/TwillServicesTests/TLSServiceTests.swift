import ChildProcess
import Foundation
import TestCertificates
import TestSupport
import Testing
import Twill
import TwillTLS

/// A program whose port speaks TLS: its certificate is read when it starts, and again at SIGHUP.
@Suite(.nothingLivesOn) struct TLSServiceTests {
    private let folder: TestFolder
    private let roots: String

    init() throws {
        TLS.registerEndpoints()
        folder = try TestFolder()
        roots = folder.path("roots.pem")
        try folder.write(TestCertificate.authority.get().certificate, to: "roots.pem")
        try show("the first")
    }

    /// Puts a certificate of that name where the program looks for it.
    private func show(_ name: String) throws {
        let certificate = try TestCertificate(signedBy: TestCertificate.authority.get()) { $0.commonName = name }
        try folder.write(certificate.certificate, to: "server.pem")
        try folder.write(certificate.key, to: "server.key")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.path("server.key"))
    }

    private func start(_ arguments: String...) throws -> ProbeProcess {
        try ProbeProcess(
            ["--listen", "tls:127.0.0.1:0:cert=\(folder.path("server.pem")):key=\(folder.path("server.key"))"] + arguments, in: folder)
    }

    /// Whose certificate a new connection is shown, which must work.
    private func shown(on reactor: LibeventReactor, port: Int) async throws -> String {
        let connection = try await reactor.connect("tls:localhost:\(port):endpoint=tcp\\:127.0.0.1\\:\(port):roots=\(roots)")
        try await connection.write("hello\n")
        #expect(try await LineSequence.first(of: connection) == "hello")
        let subject = connection.transport.tls?.peerCertificate?.subject ?? "nobody"
        connection.transport.loseConnection()
        return subject
    }

    @Test("T10: SIGHUP gives new connections the new certificate and leaves the old ones alone; one that is no good changes nothing")
    func aCertificateIsReadAnew() async throws {
        let probe = try start("--reactors", "2")
        let port = try probe.port()
        try await LibeventReactor.run { reactor in
            let old = try await reactor.connect("tls:localhost:\(port):endpoint=tcp\\:127.0.0.1\\:\(port):roots=\(roots)")
            #expect(try await shown(on: reactor, port: port).hasPrefix("CN=the first"))
            try show("the second")
            probe.process.send(SIGHUP)
            // The signal is on its way.
            var tries = 0
            while try await shown(on: reactor, port: port).hasPrefix("CN=the first"), tries < 1000 { tries += 1 }
            try await old.write("still there\n")
            #expect(try await LineSequence.first(of: old) == "still there")
            try folder.write("rubbish", to: "server.pem")
            probe.process.send(SIGHUP)
            try await probe.errors(containing: "has no certificate in it")
            for _ in 0..<4 { #expect(try await shown(on: reactor, port: port).hasPrefix("CN=the second")) }
            old.transport.loseConnection()
        }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test(
        "T11: a key that only root can read is read before privileges are given up; a reload that can't read it changes nothing",
        .enabled(if: isRoot))
    func theKeyIsReadBeforePrivilegesAreGivenUp() async throws {
        let probe = try start("--uid", "nobody")
        let port = try probe.port()
        try await LibeventReactor.run { reactor in
            #expect(try await shown(on: reactor, port: port).hasPrefix("CN=the first"))
            try show("the second")
            probe.process.send(SIGHUP)
            try await probe.errors(containing: "server.key can't be read: permission denied")
            #expect(try await shown(on: reactor, port: port).hasPrefix("CN=the first"))
        }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test("T11: a key of another certificate ends the program at its start, with a sentence")
    func aKeyOfAnotherCertificateEndsTheStart() throws {
        try folder.write(TestCertificate().key, to: "server.key")
        let end = try start().process.waitForEnd()
        #expect(end.status == 78)
        #expect(end.errors.split(separator: "\n").count == 1)
        let (certificate, key) = (folder.path("server.pem"), folder.path("server.key"))
        #expect(end.errors.contains("the key of \(key) is not that of the certificate of \(certificate)"))
    }
}

/// The first line that comes on a connection.
private enum LineSequence {
    static func first(of connection: Connection) async throws -> String? {
        var lines = connection.lines(delimiter: .lf).makeAsyncIterator()
        return try await lines.next()
    }
}

extension ProbeProcess {
    /// Waits until standard error has this in it.
    fileprivate func errors(containing text: String) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !process.observed.errors.contains(text), process.observed.status == nil, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(process.observed.errors.contains(text), "\(process.observed.errors)")
    }
}
