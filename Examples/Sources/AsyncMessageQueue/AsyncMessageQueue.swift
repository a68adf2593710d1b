// How do I send what was written before the connection was there, with async and await? Nothing needs a queue: the task waits for the connection.
//
//     swift run EchoServer 8007
//     swift run AsyncMessageQueue 8007 one two three

import Twill

@main
struct AsyncMessageQueue {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
        let messages = CommandLine.arguments.dropFirst(2) + ["end"]
        try await LibeventReactor.run { reactor in
            do {
                let connection = try await reactor.connect("tcp:127.0.0.1:\(port)")
                for message in messages { try await connection.writeLine(message) }
                for try await line in connection.lines {
                    print("echoed: \(line)")
                    if line == "end" { return }
                }
            } catch let error as ConnectError {
                print(error)
            }
        }
    }
}
