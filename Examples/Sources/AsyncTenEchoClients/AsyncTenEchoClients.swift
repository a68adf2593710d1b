// How do I run several clients at once, with async and await? Ten tasks say their number to an echo server; the program ends with the last one.
//
//     swift run EchoServer 8007
//     swift run AsyncTenEchoClients tcp:127.0.0.1:8007

import Twill

@main
struct AsyncTenEchoClients {
    static func main() async throws {
        let endpoint = CommandLine.arguments.dropFirst().first ?? "tcp:127.0.0.1:8007"
        try await LibeventReactor.run { reactor in
            let clients = (1...10).map { number in
                reactor.task { reactor in
                    let connection = try await reactor.connect(endpoint)
                    try await connection.writeLine("this is client \(number)")
                    print("client \(number) heard: \(try await connection.lines.next() ?? "nothing")")
                }
            }
            for client in clients {
                do { try await client.value } catch let error as ConnectError { print(error) }
            }
        }
    }
}
