// How do I say where to listen in a string, and refuse some? This echo listens on any endpoint and refuses the hosts that it is told.
//
//     swift run PickyEcho tcp:8007 127.0.0.2
//     nc -s 127.0.0.2 127.0.0.1 8007

import Twill

final class Echo: Protocol {
    override func connectionMade() { print("\(transport.peer.host) connected to \(transport.host.host)") }
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

final class Picky: Factory {
    private let refused: Set<String>

    init(refused: Set<String>) {
        self.refused = refused
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        guard !refused.contains(address.host) else {
            print("\(address.host) is refused")
            return nil
        }
        return Echo()
    }
}

let endpoint = try Endpoint(CommandLine.arguments.dropFirst().first ?? "tcp:8007:interface=127.0.0.1")
let reactor = try LibeventReactor()
let listening = try reactor.listen(endpoint, factory: Picky(refused: Set(CommandLine.arguments.dropFirst(2))))
print("listening on tcp:\(listening.address)")
try reactor.run()
