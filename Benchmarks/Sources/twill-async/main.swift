// Servers by tasks, to be measured by `bench`: what `twill serve` does by callbacks, written with async and await.
import ArgumentParser
import Foundation
import PeerSupport
import Twill

/// What comes back, and how the task gets at it.
enum Mode: String, CaseIterable, ExpressibleByArgument {
    case echo
    case echoLent = "echo-lent"
    case line
    case lineBytes = "line-bytes"
    case lineLent = "line-lent"
    case netstring

    /// Serves each connection by a task. Each is what a reader of the documentation would write.
    func listen(_ endpoint: String, on reactor: LibeventReactor) throws -> ConnectionServer {
        switch self {
        case .echo:
            try reactor.listen(endpoint) { connection in
                for try await chunk in connection.chunks { try await connection.write(chunk) }
            }
        case .echoLent:
            try reactor.listen(endpoint) { connection in
                try await connection.forEachChunk { connection.transport.write($0) }
            }
        case .line:
            try reactor.listen(endpoint) { connection in
                for try await line in connection.lines { try await connection.writeLine(line) }
            }
        case .lineBytes:
            try reactor.listen(endpoint) { connection in
                for try await line in connection.byteLines() { try await connection.writeLine(line) }
            }
        case .lineLent:
            try reactor.listen(endpoint) { connection in
                try await connection.forEachLine { connection.transport.writeFrame(prefix: .none, body: $0, suffix: .crlf) }
            }
        case .netstring:
            try reactor.listen(endpoint) { connection in
                for try await string in connection.netstrings { try await connection.writeNetstring(string) }
            }
        }
    }
}

struct TwillAsync: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twill-async",
        abstract: "Serves one protocol by a task for each connection, to be measured by bench.",
        discussion: """
            Every byte comes back with

              echo        for try await chunk in connection.chunks
              echo-lent   connection.forEachChunk, whose bytes are lent and not copied

            every line that ends in CR LF with

              line        for try await line in connection.lines, which are Strings
              line-bytes  for try await line in connection.byteLines(), which are arrays of bytes
              line-lent   connection.forEachLine

            and every netstring with

              netstring   for try await string in connection.netstrings
            """)

    @Argument(help: ArgumentHelp("What comes back.", valueName: "mode"))
    var mode: Mode

    @Option(help: ArgumentHelp("Where to listen, as `twill serve` takes it.", valueName: "endpoint"))
    var listen = "tcp:127.0.0.1:0"

    func run() throws {
        peer_raise_descriptor_limit()
        let reactor = try LibeventReactor()
        let server = try mode.listen(listen, on: reactor)
        reactor.callWhenRunning {
            // Not by `print`, which would wait for a whole page where the reader is bench.
            FileHandle.standardOutput.write(Data("listening on \(endpoint(of: server.address))\n".utf8))
        }
        try reactor.run()
    }

    private func endpoint(of address: Address) -> String {
        if case .unix(let path) = address { "unix:\(path)" } else { "tcp:\(address)" }
    }
}

TwillAsync.main()
