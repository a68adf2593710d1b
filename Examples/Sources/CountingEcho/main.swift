// How do connections share something? This factory counts who is connected, and each newcomer is told how many there are.
//
//     swift run CountingEcho 8007
//     nc 127.0.0.1 8007

import Twill

final class Counting: Factory {
    var openCount = 0
    override func buildProtocol(_ address: Address) -> Protocol? { Echo(self) }
}

final class Echo: Protocol {
    private let shared: Counting

    init(_ factory: Counting) {
        shared = factory
        super.init()
    }

    override func connectionMade() {
        shared.openCount += 1
        transport.write("Welcome! There are currently \(shared.openCount) open connections.\r\n")
    }

    override func connectionLost(_ reason: ConnectionLost) { shared.openCount -= 1 }
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Counting(), interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
