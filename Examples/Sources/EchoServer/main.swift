// How do I write a server? This one sends back whatever it gets.
//
//     swift run EchoServer 8007
//     nc 127.0.0.1 8007

import Twill

final class Echo: Protocol {
    override func connectionMade() {
        print("\(transport.peer) connected to \(transport.host)")
    }

    override func dataReceived(_ data: Span<UInt8>) {
        transport.write(data)
    }

    override func connectionLost(_ reason: ConnectionLost) {
        print("\(transport.peer) left: \(reason)")
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Factory { Echo() }, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
