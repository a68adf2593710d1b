// How do I write a client with async and await? This one sends a line to an echo server, prints what comes back, and leaves.
//
//     swift run AsyncEchoServer 8007
//     swift run AsyncEchoClient 8007 "hello, world"

import Twill

@main
struct AsyncEchoClient {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let port = arguments.first.flatMap(Int.init) ?? 8007
        let greeting = arguments.dropFirst().first ?? "hello, world"
        try await LibeventReactor.run { reactor in
            do {
                let connection = try await reactor.connect("tcp:127.0.0.1:\(port)")
                try await connection.writeLine(greeting)
                guard let answer = try await connection.lines.next() else { return }
                print("the server said: \(answer)")
            } catch let error as ConnectError {
                print(error)
            }
        }
    }
}
