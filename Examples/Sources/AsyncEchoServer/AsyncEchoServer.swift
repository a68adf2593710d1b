// How do I write a server with async and await? This one sends back whatever it gets, until SIGINT or SIGTERM stops it.
//
//     swift run AsyncEchoServer 8007
//     nc 127.0.0.1 8007

import Twill

@main
struct AsyncEchoServer {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
        try await LibeventReactor.run { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:\(port)") { connection in
                print("\(connection.peer) connected to \(connection.host)")
                defer { print("\(connection.peer) left") }
                for try await chunk in connection.chunks { try await connection.write(chunk) }
            }
            print("listening on tcp:\(server.address)")
            try await reactor.waitUntilStopped()
        }
    }
}
