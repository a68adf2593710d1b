// Gets one poem and prints it: the least that a client needs.
//
//     swift run PoetryServer poem.txt 10000
//     swift run SimplePoetryClient 10000

import Twill

final class PoemPrinter: Protocol {
    override func dataReceived(_ data: Span<UInt8>) { print(String(repairing: data), terminator: "") }
}

final class OnePoem: ClientFactory {
    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        print(reason)
        connector.reactor.stop()
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) { connector.reactor.stop() }
}

let reactor = try LibeventReactor()
try reactor.connect(Endpoint("tcp:127.0.0.1:\(CommandLine.arguments.dropFirst().first ?? "10000")"), factory: OnePoem { PoemPrinter() })
try reactor.run()
