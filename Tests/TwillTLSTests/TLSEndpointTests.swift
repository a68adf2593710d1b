import Foundation
import TestCertificates
import TestSupport
import Testing

@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// Descriptions of endpoints that begin with `tls:`.
@Suite(.nothingLivesOn) struct TLSEndpointTests {
    private let folder: TemporaryFolder
    private let files: String
    private let roots: String

    init() throws {
        TLS.registerEndpoints()
        folder = try TemporaryFolder()
        let server = try TestCertificate.server.get()
        let certificate = try folder.write("server.pem", server.certificate)
        let key = try folder.write("server.key", server.key)
        files = "cert=\(certificate):key=\(key)"
        roots = try folder.write("roots.pem", TestCertificate.authority.get().certificate)
    }

    /// What a server says to a client that says hello, both by descriptions.
    private func talk(server: String, client: @escaping @Sendable (Address) -> String, first: String = "") async throws -> String? {
        try await LibeventReactor.run { reactor in
            let server = try reactor.listen(server) { connection in
                for try await line in connection.lines {
                    let tls = connection.transport.tls
                    try await connection.writeLine("\(line) by \(tls?.applicationProtocol ?? "-") from \(connection.peer.host)")
                }
            }
            let connection = try await reactor.connect(client(server.address))
            try await connection.writeLine("\(first)hello")
            for try await line in connection.lines { return line }
            return nil
        }
    }

    @Test func aServerAndAClientAreDescribed() async throws {
        let roots = roots
        let answer = try await talk(server: "tls:127.0.0.1:0:\(files):alpn=a,b") { "tls:localhost:\($0.port ?? 0):roots=\(roots):alpn=b" }
        #expect(answer == "hello by b from 127.0.0.1")
    }

    @Test("E20: TLS goes over any other endpoint, and the host is who is expected")
    func overAnotherEndpoint() async throws {
        let roots = roots
        let path = "\(folder.path)/socket"
        let answer = try await talk(server: "tls:unix:\(path):\(files)") { _ in "tls:localhost:443:endpoint=unix\\:\(path):roots=\(roots)" }
        #expect(answer?.hasPrefix("hello by - from") == true, "\(answer ?? "nothing")")
    }

    @Test("a proxy's header stands before TLS, or inside of it, as the description says")
    func withAProxy() async throws {
        let roots = roots
        let inside = try await talk(
            server: "haproxy:tls:127.0.0.1:0:\(files):trust=127.0.0.1", client: { "tls:localhost:\($0.port ?? 0):roots=\(roots)" },
            first: "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        #expect(inside == "hello by - from 192.0.2.1")
        // Before TLS: a client that writes the header in the clear first.
        let files = files
        let before: String? = try await LibeventReactor.run { reactor in
            let server = try reactor.listen("tls:haproxy:tcp:127.0.0.1:0:trust=127.0.0.1:\(files)") { connection in
                for try await _ in connection.lines {
                    try await connection.writeLine(
                        "\(connection.peer.host) by \(connection.transport.tls == nil ? "nothing" : "TLS") and \(connection.transport.proxied?.realPeer.host ?? "-")"
                    )
                }
            }
            let connection = try await reactor.connect("tcp:127.0.0.1:\(server.address.port ?? 0)")
            try await connection.write("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            try await connection.startTLS(.test(), serverName: "localhost")
            try await connection.writeLine("who am I?")
            for try await line in connection.lines { return line }
            return nil
        }
        #expect(before == "192.0.2.1 by TLS and 127.0.0.1")
    }

    @Test func whatIsMadeOfADescriptionCanBeReadAgain() throws {
        for text in ["tls:443:\(files)", "tls:127.0.0.1:443:backlog=7:\(files):minimumVersion=1.3", "tls:unix:/tmp/x:\(files)"] {
            let endpoint = try serverFromString(text)
            #expect("\(try serverFromString("\(endpoint)"))".hasSuffix(String("\(endpoint)".dropFirst(4))), "\(endpoint)")
        }
        let client = try clientFromString("tls:localhost:443:timeout=5:roots=\(roots):alpn=a,b")
        #expect("\(try clientFromString("\(client)"))" == "\(client)")
        #expect("\(client)".contains("endpoint=tcp\\:localhost\\:443\\:timeout\\=5"), "\(client)")
    }

    private func error(_ text: String, isClient: Bool = false) -> String {
        do {
            if isClient { _ = try clientFromString(text) } else { _ = try serverFromString(text) }
            return ""
        } catch {
            return error.reason
        }
    }

    @Test func mistakesAreSaidInSentences() throws {
        #expect(error("tls:443").hasPrefix("has no certificate: name its file"))
        #expect(error("tls:443:cert=/nowhere").hasPrefix("can't be used: /nowhere can't be read: no such file or directory"))
        #expect(
            error("tls:443:\(files):minimumVersion=1.1") == "is no version that is spoken: give minimumVersion=1.2 or minimumVersion=1.3")
        #expect(error("tls:abc:\(files)").hasPrefix("is no port"))
        #expect(error("tls:443:\(files):color=blue").hasPrefix("is no option of tcp"))
        #expect(error("tls:443:crt=server.pem").contains("; tls has cert, key, "))
        #expect(error("tls:localhost:443:rots=x", isClient: true).contains("; tls has name, roots, "))
        #expect(error("tls:443:\(files),x").hasPrefix("can't be used: "))
        #expect(error("tls:localhost:443:roots=/nowhere", isClient: true).hasPrefix("can't be used: /nowhere can't be read"))
        #expect(error("tls:localhost:443:pin=12", isClient: true).hasPrefix("is no fingerprint"))
        #expect(error("tls:localhost:443:endpoint=nope\\:1", isClient: true).hasPrefix("is no endpoint"))
        #expect(error("tls:endpoint=tcp\\:localhost\\:1", isClient: true).hasPrefix("names no host"))
    }

    @Test func aFailedHandshakeIsAFailedAttempt() async throws {
        let files = files
        let error = await #expect(throws: ConnectError.self) {
            try await LibeventReactor.run { reactor in
                let server = try reactor.listen("tls:127.0.0.1:0:\(files)") { _ in }
                _ = try await reactor.connect("tls:localhost:\(server.address.port ?? 0)")
            }
        }
        #expect(error?.underlying as? TLSError == .unknownAuthority)
    }
}
