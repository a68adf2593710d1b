import ChildProcess
import TestCertificates
import TestSupport
import Testing

/// The tool's servers and clients by TLS, each as a process.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct TLSTests {
    /// A server's files, and that of the authority which clients trust.
    private struct Files {
        let folder: TemporaryFolder
        let server: String
        let roots: String

        init() throws {
            folder = try TemporaryFolder()
            let made = try TestCertificate.server.get()
            let (certificate, key) = (try folder.write("server.pem", made.certificate), try folder.write("server.key", made.key))
            server = "cert=\(certificate):key=\(key)"
            roots = "roots=\(try folder.write("roots.pem", TestCertificate.authority.get().certificate))"
        }
    }

    private func start(_ arguments: String...) throws -> (process: ToolProcess, place: String) {
        let process = try ToolProcess(arguments)
        let line = try process.waitForLines(1)[0]
        guard line.hasPrefix("listening on ") else { throw ToolProcess.Failure("'\(line)' names no port") }
        return (process, String(line.dropFirst("listening on ".count)))
    }

    @Test(arguments: [[], ["--tasks"]])
    func aServerIsLoadedTalkedToAndForwarded(style: [String]) throws {
        let files = try Files()
        let server = try ToolProcess(["serve", "line-echo", "--listen", "tls:127.0.0.1:0:\(files.server)"] + style)
        let line = try server.waitForLines(1)[0]
        #expect(line.hasPrefix("listening on tls:127.0.0.1:"))
        let place = String(line.dropFirst("listening on ".count))
        let load = try ToolProcess.run("load", "\(place):\(files.roots)", "--framing", "line", "--messages", "500", "--connections", "5")
        #expect(load.status == 0, "\(load.errors)")
        let talk = try ToolProcess(["connect", "\(place):\(files.roots)", "--crlf"], input: "hello\n").waitForEnd()
        #expect(talk.output == "hello\r\n", "\(talk.errors)")
        #expect(talk.status == 0)
        // From TLS to TLS.
        let (forwarder, front) = try start("forward", "tls:127.0.0.1:0:\(files.server)", "\(place):\(files.roots)")
        let forwarded = try ToolProcess(["connect", "\(front):\(files.roots)", "--crlf"], input: "on and on\n").waitForEnd()
        #expect(forwarded.output == "on and on\r\n", "\(forwarded.errors)")
        #expect(try forwarder.terminate().status == 0)
        let end = try server.terminate()
        #expect(end.status == 0)
        #expect(end.errors == "")
    }

    @Test func aServerThatNobodyVouchesForIsOneSentenceAndGetsNothing() throws {
        let files = try Files()
        let (server, place) = try start("serve", "echo", "--listen", "tls:127.0.0.1:0:\(files.server)")
        let talk = try ToolProcess(["connect", place], input: "a secret\n").waitForEnd()
        #expect(talk.status == 1)
        #expect(talk.output == "")
        #expect(talk.complaints.count == 1)
        #expect(talk.errors.contains("certificate"), "\(talk.errors)")
        #expect(try server.terminate().status == 0)
    }

    @Test func mistakesInADescriptionAreOneSentence() throws {
        for endpoint in ["tls:8443", "tls:8443:cert=/nowhere/server.pem"] {
            let end = try ToolProcess.run("serve", "echo", "--listen", endpoint)
            #expect(end.status == 64)
            #expect(end.complaints.count == 1)
            #expect(end.errors.contains(endpoint == "tls:8443" ? "cert=server.pem:key=server.key" : "/nowhere/server.pem can't be read"))
        }
    }
}
