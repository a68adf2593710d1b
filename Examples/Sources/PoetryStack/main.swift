// Who calls dataReceived? This client prints the stack below it, from the reactor's loop up: your code is called by Twill, and returns to it.
//
//     swift run PoetryServer poem.txt 10000
//     swift run PoetryStack 10000

import Runtime
import Twill

final class StackPrinter: Protocol {
    override func dataReceived(_ data: Span<UInt8>) throws {
        let backtrace = try Backtrace.capture().symbolicated(with: nil, options: .default)
        for frame in backtrace?.frames ?? [] {
            guard let name = frame.symbol?.name else { continue }
            print(name)
        }
        transport.loseConnection()
    }
}

final class OnePoem: ClientFactory {
    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        print(reason)
        connector.reactor.stop()
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) { connector.reactor.stop() }
}

let reactor = try LibeventReactor()
try reactor.connect(Endpoint("tcp:127.0.0.1:\(CommandLine.arguments.dropFirst().first ?? "10000")"), factory: OnePoem { StackPrinter() })
try reactor.run()
