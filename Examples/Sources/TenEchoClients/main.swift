// How do I run several clients at once? Ten of them say their number to an echo server; the program ends with the last one.
//
//     swift run EchoServer 8007
//     swift run TenEchoClients tcp:127.0.0.1:8007

import Twill

/// One factory for all clients: it numbers them, and counts who has ended, one way or the other.
final class TenClients: ClientFactory {
    private var begun = 0
    private var ended = 0

    override func buildProtocol(_ address: Address) -> Protocol? {
        begun += 1
        return Client(begun)
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        print(reason)
        oneHasEnded(connector.reactor)
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) { oneHasEnded(connector.reactor) }

    private func oneHasEnded(_ reactor: any Reactor) {
        ended += 1
        if ended == 10 { reactor.stop() }
    }
}

final class Client: LineReceiver {
    private let number: Int

    init(_ number: Int) {
        self.number = number
        super.init()
    }

    override func connectionMade() { sendLine("this is client \(number)") }

    override func lineReceived(_ line: Span<UInt8>) {
        print("client \(number) heard: \(String(repairing: line))")
        transport.loseConnection()
    }
}

let endpoint = try Endpoint(CommandLine.arguments.dropFirst().first ?? "tcp:127.0.0.1:8007")
let reactor = try LibeventReactor()
let clients = TenClients()
for _ in 1...10 { try reactor.connect(endpoint, factory: clients) }
try reactor.run()
