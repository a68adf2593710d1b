// How do I write a client? This one sends a line to an echo server, prints what comes back, and leaves.
//
//     swift run EchoServer 8007
//     swift run EchoClient 8007 "hello, world"

import Twill

final class Greeting: LineReceiver {
    override func connectionMade() {
        sendLine(CommandLine.arguments.dropFirst(2).first ?? "hello, world")
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        print("the server said: \(String(copying: try UTF8Span(validating: line)))")
        transport.loseConnection()
    }
}

final class Once: ClientFactory {
    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        print(reason)
        connector.reactor.stop()
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) {
        connector.reactor.stop()
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
try reactor.connectTCP(host: "127.0.0.1", port: port, factory: Once { Greeting() })
try reactor.run()
